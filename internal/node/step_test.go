package node

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

func TestStep(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	type instance = func(*api.Instance)
	desired := func(s api.DesiredState, life int) instance {
		return func(in *api.Instance) { in.Desired.State, in.Desired.Life = s, life }
	}
	status := func(p api.Phase, life int) instance {
		return func(in *api.Instance) { in.Status.Phase, in.Status.Life, in.Status.Finished = p, life, now }
	}
	removed := func(in *api.Instance) { in.Desired.Remove = true }
	autoRemove := func(in *api.Instance) { in.Spec.AutoRemove = true }
	limits := func(in *api.Instance) { in.Spec.Resources.CPUs = 2 }
	timeout := func(d time.Duration) instance {
		return func(in *api.Instance) { v := api.Duration(d); in.Spec.StopTimeout = &v }
	}
	exit := &engine.Exit{}
	tests := []struct {
		name string
		in   []instance
		f    facts
		want decision
	}{
		{"created and not asked to run", []instance{desired(api.DesiredStopped, 0), status(api.PhaseCreated, 0)}, facts{}, decision{}},
		{"to be started", []instance{desired(api.DesiredRunning, 1), status(api.PhaseCreated, 0)}, facts{}, decision{do: actStart}},
		{"runs", []instance{desired(api.DesiredRunning, 1), status(api.PhaseRunning, 1)}, facts{alive: true, asked: 1}, decision{}},
		{"ended", []instance{desired(api.DesiredRunning, 1), status(api.PhaseRunning, 1)}, facts{exit: exit}, decision{do: actSettle}},
		{"ended and to be removed", []instance{removed}, facts{exit: exit}, decision{do: actSettle}},
		{"rests after its end", []instance{desired(api.DesiredRunning, 1), status(api.PhaseStopped, 1)}, facts{}, decision{}},
		{"failed", []instance{desired(api.DesiredRunning, 1), status(api.PhaseFailed, 1)}, facts{}, decision{}},
		{"to be started again", []instance{desired(api.DesiredRunning, 2), status(api.PhaseStopped, 1)}, facts{}, decision{do: actStart}},
		{"restart of what runs", []instance{desired(api.DesiredRunning, 2), status(api.PhaseRunning, 1)}, facts{alive: true, asked: 1}, decision{do: actStop}},
		{"the status says it runs and it does not", []instance{desired(api.DesiredRunning, 1), status(api.PhaseRunning, 1)}, facts{}, decision{do: actSettle}},
		{"a start was cut short", []instance{desired(api.DesiredRunning, 1), status(api.PhaseStarting, 1)}, facts{}, decision{do: actStart}},

		{"to be stopped", []instance{desired(api.DesiredStopped, 1), status(api.PhaseRunning, 1)}, facts{alive: true, asked: 1}, decision{do: actStop}},
		{"to be stopped while paused", []instance{desired(api.DesiredStopped, 1), status(api.PhasePaused, 1)}, facts{alive: true, asked: 1, paused: true}, decision{do: actUnpause}},
		{"stopping", []instance{desired(api.DesiredStopped, 1)}, facts{alive: true, asked: 1, stopSent: now.Add(-time.Second)}, decision{wake: now.Add(9 * time.Second)}},
		{"does not stop", []instance{desired(api.DesiredStopped, 1)}, facts{alive: true, asked: 1, stopSent: now.Add(-10 * time.Second)}, decision{do: actKill}},
		{"no time to stop", []instance{desired(api.DesiredStopped, 1), timeout(0)}, facts{alive: true, asked: 1, stopSent: now}, decision{do: actKill}},
		{"all the time to stop", []instance{desired(api.DesiredStopped, 1), timeout(-1)}, facts{alive: true, asked: 1, stopSent: now.Add(-time.Hour)}, decision{}},
		{"killed", []instance{desired(api.DesiredStopped, 1)}, facts{alive: true, asked: 1, stopSent: now, killSent: true}, decision{}},
		{"stopped while it waited", []instance{desired(api.DesiredStopped, 1), status(api.PhaseRestarting, 1)}, facts{}, decision{do: actRest}},

		{"waits for its restart", []instance{desired(api.DesiredRunning, 1), status(api.PhaseRestarting, 1)}, facts{quick: 2}, decision{wake: now.Add(200 * time.Millisecond)}},
		{"restarts", []instance{desired(api.DesiredRunning, 1), status(api.PhaseRestarting, 1)}, facts{}, decision{do: actStart}},

		{"to be paused", []instance{desired(api.DesiredPaused, 1)}, facts{alive: true, asked: 1}, decision{do: actPause}},
		{"paused", []instance{desired(api.DesiredPaused, 1)}, facts{alive: true, asked: 1, paused: true}, decision{}},
		{"to go on", []instance{desired(api.DesiredRunning, 1)}, facts{alive: true, asked: 1, paused: true}, decision{do: actUnpause}},
		{"limits changed", []instance{desired(api.DesiredRunning, 1), limits}, facts{alive: true, asked: 1, limited: true}, decision{do: actUpdate}},

		{"removed by force", []instance{removed}, facts{alive: true}, decision{do: actKill}},
		{"removed by force, killed", []instance{removed}, facts{alive: true, killSent: true}, decision{}},
		{"removed", []instance{removed, status(api.PhaseStopped, 1)}, facts{}, decision{do: actRemove}},
		{"its end is being stored", []instance{desired(api.DesiredRunning, 1), status(api.PhaseStopped, 1)}, facts{held: 1, holdTill: now.Add(time.Second)}, decision{wake: now.Add(time.Second)}},
		{"its end is stored", []instance{desired(api.DesiredRunning, 1), status(api.PhaseStopped, 1)}, facts{held: 1, holdTill: now}, decision{do: actForget}},
		{"forgotten before it starts again", []instance{desired(api.DesiredRunning, 2), status(api.PhaseStopped, 1)}, facts{held: 1, holdTill: now.Add(time.Second)}, decision{do: actForget}},
		{"removed while its end is being stored", []instance{removed, status(api.PhaseStopped, 1)}, facts{held: 1, holdTill: now.Add(time.Second)}, decision{do: actRemove}},
		{"removes itself", []instance{autoRemove, desired(api.DesiredRunning, 1), status(api.PhaseStopped, 1)}, facts{}, decision{do: actRemove}},
		{"removes itself after a stop", []instance{autoRemove, desired(api.DesiredStopped, 1), status(api.PhaseStopped, 1)}, facts{}, decision{do: actRemove}},
		{"removes itself, but not before it ran", []instance{autoRemove, desired(api.DesiredStopped, 0), status(api.PhaseCreated, 0)}, facts{}, decision{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &api.Instance{Desired: api.Desired{State: api.DesiredRunning}}
			for _, change := range tt.in {
				change(in)
			}
			if got := step(in, tt.f, now); got != tt.want {
				t.Errorf("step = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// From any state that a crash may leave, steps lead to what is desired within
// a few actions, and then to no more.
func TestStepsLeadToWhatIsDesired(t *testing.T) {
	phases := []api.Phase{"", api.PhaseCreated, api.PhaseStarting, api.PhaseRunning, api.PhasePaused,
		api.PhaseStopping, api.PhaseRestarting, api.PhaseStopped, api.PhaseFailed}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1e9, 0)
		in := &api.Instance{}
		in.Spec.AutoRemove = rapid.Bool().Draw(t, "autoRemove")
		in.Spec.Restart.Policy = rapid.SampledFrom([]string{"no", "always", "on-failure", "unless-stopped"}).Draw(t, "policy")
		in.Desired.State = rapid.SampledFrom([]api.DesiredState{api.DesiredRunning, api.DesiredPaused, api.DesiredStopped}).Draw(t, "desired")
		in.Desired.Life = rapid.IntRange(1, 3).Draw(t, "life")
		in.Desired.Remove = rapid.Bool().Draw(t, "remove")
		in.Status.Phase = rapid.SampledFrom(phases).Draw(t, "phase")
		in.Status.Life = rapid.IntRange(0, in.Desired.Life).Draw(t, "status life")
		in.Status.Finished = now
		f := facts{quick: rapid.IntRange(0, 12).Draw(t, "quick")}
		if rapid.Bool().Draw(t, "alive") {
			f.alive, f.asked = true, in.Status.Life
			f.paused = rapid.Bool().Draw(t, "paused")
		} else if rapid.Bool().Draw(t, "ended") {
			f.exit = &engine.Exit{Time: now, Code: rapid.IntRange(0, 255).Draw(t, "code")}
		}
		obeys := rapid.Bool().Draw(t, "obeys")

		gone := false
		for range 40 {
			d := step(in, f, now)
			if d.do == actNone && d.wake.IsZero() {
				break
			}
			if d.do == actNone {
				if !d.wake.After(now) {
					t.Fatalf("wakes in the past: %v", d.wake)
				}
				now = d.wake
				continue
			}
			if gone = simulate(t, in, &f, d.do, now, obeys); gone {
				break
			}
		}
		d := step(in, f, now)
		switch {
		case gone:
			if f.alive {
				t.Fatal("removed while it runs")
			}
		case d.do != actNone || !d.wake.IsZero():
			t.Fatalf("never at rest: %+v of %+v, %+v", d, in, f)
		case in.Desired.Remove:
			t.Fatalf("not removed: %+v", in)
		case in.Desired.State == api.DesiredStopped && f.alive:
			t.Fatalf("not stopped: %+v", in)
		case f.alive && f.paused != (in.Desired.State == api.DesiredPaused):
			t.Fatalf("paused %v, desired %s", f.paused, in.Desired.State)
		case f.alive && f.asked < in.Desired.Life:
			t.Fatalf("not restarted: %+v", in)
		}
	})
}

// simulate has an action's effect on the state, as the agent would.
func simulate(t *rapid.T, in *api.Instance, f *facts, do action, now time.Time, obeys bool) (gone bool) {
	end := func(code int) { f.alive, f.exit = false, &engine.Exit{Time: now, Code: code} }
	switch do {
	case actStart:
		if f.alive {
			t.Fatal("started while it runs")
		}
		*f = facts{alive: true, asked: in.Desired.Life, quick: f.quick}
		in.Status.Phase, in.Status.Life, in.Status.Started = api.PhaseRunning, in.Desired.Life, now
	case actStop:
		f.stopSent = now
		if obeys {
			end(143)
		}
	case actKill:
		f.killSent = true
		end(137)
	case actPause, actUnpause:
		f.paused = do == actPause
	case actUpdate:
		f.limits = in.Spec.Resources
	case actSettle:
		x := engine.Exit{Time: now, Lost: true, Code: lostCode}
		if f.exit != nil {
			x = *f.exit
		}
		in.Status = settled(in, *f, x)
		*f = facts{quick: quickAfter(f.quick, in.Status.Started, now)}
	case actRest:
		in.Status.Phase = api.PhaseStopped
	case actRemove:
		return true
	}
	return false
}
