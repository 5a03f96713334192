package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// world runs a test with an agent over an empty machine, in virtual time.
func world(t *testing.T, test func(t *testing.T, d *daemon)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory()
		d := boot(t, newMachine(), s, dir)
		test(t, d)
		d.stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunToTheEnd(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{})
		in := d.awaitPhase(t, "a", api.PhaseRunning)
		if in.Status.PID == 0 || in.Status.Life != 1 || in.Status.Starts != 1 || in.Status.Image != "sha256:1" {
			t.Errorf("running: %+v", in.Status)
		}
		d.engine.end("a", 3)
		in = d.awaitPhase(t, "a", api.PhaseStopped)
		if *in.Status.ExitCode != 3 || in.Status.StoppedByUser || in.Status.PID != 0 {
			t.Errorf("stopped: %+v", in.Status)
		}
		d.desire(t, "a", func(x *api.Desired) { x.Life++ })
		in = d.await(t, "a", "second life", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning })
		if in.Status.Starts != 2 || in.Status.Restarts != 0 || in.Status.ExitCode != nil {
			t.Errorf("again: %+v", in.Status)
		}
		d.desire(t, "a", func(x *api.Desired) { x.Remove = true })
		d.awaitGone(t, "a")
		synctest.Wait()
		if left := d.engine.leftovers(); left != "" {
			t.Error(left)
		}
		var actions []string
		for _, e := range d.events {
			actions = append(actions, e.Action)
		}
		want := []string{"start", "die", "start", "kill", "die", "remove"}
		if !slices.Equal(actions, want) {
			t.Errorf("events %v, want %v", actions, want)
		}
	})
}

// An agent that is told to end while it takes up what runs has not failed.
func TestEndWhileAdopting(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := New(d.Config).Run(ctx, func() { t.Error("ready without what runs") }); err != nil {
			t.Error(err)
		}
	})
}

// Who asks a daemon that has just been started is not told that what runs does
// not run.
func TestSessionsWaitForWhatRuns(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{})
		d.awaitPhase(t, "a", api.PhaseRunning)
		d.stop()

		next := New(d.Config)
		answer := make(chan error, 1)
		go func() {
			_, err := next.Exec(t.Context(), "a", api.ExecSpec{Command: []string{"true"}})
			answer <- err
		}()
		synctest.Wait()
		select {
		case err := <-answer:
			t.Fatalf("answered before the agent knows: %v", err)
		default:
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- next.Run(ctx, func() {}) }()
		if err := <-answer; err != nil {
			t.Errorf("exec in what runs: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := New(d.Config).Exec(ctx, "a", api.ExecSpec{}); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}

func TestStopWaitsThenKills(t *testing.T) {
	for _, tt := range []struct {
		name    string
		obeys   bool
		code    int
		takes   time.Duration
		timeout time.Duration
	}{
		{"obeys", true, 143, 0, 5 * time.Second},
		{"ignores", false, 137, 5 * time.Second, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			world(t, func(t *testing.T, d *daemon) {
				if !tt.obeys {
					delete(d.engine.obeys, "SIGTERM")
				}
				create(t, d.store, "a", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartAlways}})
				d.awaitPhase(t, "a", api.PhaseRunning)
				before := time.Now()
				d.desire(t, "a", func(x *api.Desired) {
					timeout := api.Duration(tt.timeout)
					x.State, x.StopTimeout = api.DesiredStopped, &timeout
				})
				in := d.awaitPhase(t, "a", api.PhaseStopped)
				if *in.Status.ExitCode != tt.code || !in.Status.StoppedByUser || time.Since(before) != tt.takes {
					t.Errorf("after %s: %+v", time.Since(before), in.Status)
				}
			})
		})
	}
}

func TestRestartBacksOff(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartOnFailure, MaxRetries: 3}})
		for i, wait := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
			d.await(t, "a", "life", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning && st.Starts == i+1 })
			d.engine.end("a", 1)
			ended := time.Now()
			in := d.await(t, "a", "next life", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning && st.Starts == i+2 })
			if got := time.Since(ended); got != wait {
				t.Errorf("restart %d after %s, want %s", i+1, got, wait)
			}
			if in.Status.Restarts != i+1 {
				t.Errorf("%d restarts, want %d", in.Status.Restarts, i+1)
			}
		}
		d.engine.end("a", 1)
		d.awaitPhase(t, "a", api.PhaseStopped)
	})
}

func TestALongLifeResetsTheBackOff(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartAlways}})
		for i := range 4 {
			d.await(t, "a", "life", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning && st.Starts == i+1 })
			if i == 3 {
				time.Sleep(resetAfter)
			}
			d.engine.end("a", 0)
		}
		ended := time.Now()
		d.await(t, "a", "life", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning && st.Starts == 5 })
		if got := time.Since(ended); got != firstBackoff {
			t.Errorf("restarted after %s", got)
		}
	})
}

func TestStopEndsTheWaitForARestart(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartAlways}})
		d.awaitPhase(t, "a", api.PhaseRunning)
		d.engine.end("a", 1)
		d.awaitPhase(t, "a", api.PhaseRestarting)
		d.desire(t, "a", func(x *api.Desired) { x.State = api.DesiredStopped })
		in := d.awaitPhase(t, "a", api.PhaseStopped)
		if !in.Status.StoppedByUser {
			t.Errorf("%+v", in.Status)
		}
	})
}

func TestKillByTheUserIsNotRestarted(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartAlways}})
		d.awaitPhase(t, "a", api.PhaseRunning)
		if err := d.Signal(t.Context(), "a", "KILL"); err != nil {
			t.Fatal(err)
		}
		in := d.awaitPhase(t, "a", api.PhaseStopped)
		if *in.Status.ExitCode != 137 || !in.Status.StoppedByUser {
			t.Errorf("%+v", in.Status)
		}
	})
}

func TestFailedStart(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		d.engine.startErr = api.Invalid("spec.command", "no such command").WithHint("look again")
		create(t, d.store, "a", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartAlways}})
		in := d.awaitPhase(t, "a", api.PhaseFailed)
		if in.Status.Error == nil || in.Status.Error.Hint != "look again" || in.Status.Life != 1 {
			t.Errorf("%+v", in.Status)
		}
		synctest.Wait()
		if len(d.engine.places) != 0 {
			t.Error("it kept its place on the network")
		}
		d.engine.mu.Lock()
		d.engine.startErr = nil
		d.engine.mu.Unlock()
		d.desire(t, "a", func(x *api.Desired) { x.Life++ })
		in = d.awaitPhase(t, "a", api.PhaseRunning)
		if in.Status.Error != nil || in.Status.Reason != "" {
			t.Errorf("%+v", in.Status)
		}
	})
}

func TestMissingImage(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{Image: "missing"})
		in := d.awaitPhase(t, "a", api.PhaseFailed)
		if in.Status.Error.Code != api.CodeNotFound {
			t.Errorf("%+v", in.Status.Error)
		}
	})
}

func TestPauseAndStop(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{})
		d.awaitPhase(t, "a", api.PhaseRunning)
		d.desire(t, "a", func(x *api.Desired) { x.State = api.DesiredPaused })
		d.awaitPhase(t, "a", api.PhasePaused)
		if _, err := d.Exec(t.Context(), "a", api.ExecSpec{}); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("Exec in a paused instance: %v", err)
		}
		d.desire(t, "a", func(x *api.Desired) { x.State = api.DesiredRunning })
		d.awaitPhase(t, "a", api.PhaseRunning)
		d.desire(t, "a", func(x *api.Desired) { x.State = api.DesiredPaused })
		d.awaitPhase(t, "a", api.PhasePaused)
		d.desire(t, "a", func(x *api.Desired) { x.State = api.DesiredStopped })
		d.awaitPhase(t, "a", api.PhaseStopped)
	})
}

func TestLimitsChangeLive(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{})
		d.awaitPhase(t, "a", api.PhaseRunning)
		_, err := d.store.Instances.Update(t.Context(), "a", func(in *api.Instance) error {
			in.Spec.Resources.Memory = 1 << 20
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if d.engine.limits["a"].Memory != 1<<20 {
			t.Errorf("%+v", d.engine.limits["a"])
		}
	})
}

func TestAutoRemove(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		create(t, d.store, "a", api.InstanceSpec{AutoRemove: true})
		d.awaitPhase(t, "a", api.PhaseRunning)
		d.engine.end("a", 0)
		d.awaitGone(t, "a")
		synctest.Wait() // what it held is given back after the object
		if left := d.engine.leftovers(); left != "" {
			t.Error(left)
		}
	})
}

func TestAnonymousVolumesGoWithTheInstance(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		d.engine.image.Config.Volumes = []string{"/data"}
		create(t, d.store, "a", api.InstanceSpec{Mounts: []api.Mount{{Type: api.MountVolume, Source: "kept", Target: "/kept"}}})
		in := d.awaitPhase(t, "a", api.PhaseRunning)
		if len(in.Status.Volumes) != 2 || len(d.store.Volumes.Views()) != 2 {
			t.Fatalf("volumes %v", in.Status.Volumes)
		}
		d.desire(t, "a", func(x *api.Desired) { x.Remove = true })
		d.awaitGone(t, "a")
		left := d.store.Volumes.Views()
		if len(left) != 1 || left[0].Name != "kept" {
			t.Errorf("left: %v", left)
		}
		if dirs, _ := os.ReadDir(filepath.Join(d.dir, "volumes")); len(dirs) != 1 {
			t.Errorf("directories left: %v", dirs)
		}
	})
}

func TestHealth(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		d.engine.exec = 1
		create(t, d.store, "a", api.InstanceSpec{Health: &api.HealthCheck{
			Test: []string{"CMD", "true"}, Interval: api.Duration(time.Second), Retries: 2,
		}})
		d.awaitPhase(t, "a", api.PhaseRunning)
		state := func(want string) func(api.InstanceStatus) bool {
			return func(st api.InstanceStatus) bool { return st.Health != nil && st.Health.State == want }
		}
		before := time.Now()
		in := d.await(t, "a", "unhealthy", state(api.HealthUnhealthy))
		if got := time.Since(before); got != 2*time.Second || in.Status.Health.Log[0].Output != "hello" {
			t.Errorf("after %s: %+v", got, in.Status.Health)
		}
		d.engine.mu.Lock()
		d.engine.exec = 0
		d.engine.mu.Unlock()
		d.await(t, "a", "healthy", state(api.HealthHealthy))
		d.engine.end("a", 0)
		in = d.awaitPhase(t, "a", api.PhaseStopped)
		time.Sleep(time.Minute)
		if now, _ := d.store.Instances.View("a"); now.Status.Health != nil {
			t.Errorf("still checked: %+v", in.Status.Health)
		}
	})
}

func TestStaleIsCollected(t *testing.T) {
	world(t, func(t *testing.T, d *daemon) {
		synctest.Wait()
		d.engine.mu.Lock()
		d.engine.kept["ghost"], d.engine.places["ghost"] = true, true
		d.engine.mu.Unlock()
		if err := os.MkdirAll(d.instanceDir("ghost"), 0o700); err != nil {
			t.Fatal(err)
		}
		create(t, d.store, "a", api.InstanceSpec{})
		d.awaitPhase(t, "a", api.PhaseRunning)
		r, err := d.Check(t.Context(), false)
		if err != nil || r.Stale != 3 {
			t.Fatalf("Check: %+v, %v", r, err)
		}
		time.Sleep(2 * housekeeping)
		synctest.Wait()
		r, err = d.Check(t.Context(), false)
		if err != nil || r.Stale != 0 || len(r.Resources) != 3 {
			t.Errorf("after housekeeping: %+v, %v", r, err)
		}
	})
}

func TestRestartOfTheDaemon(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, m := store.Memory(), newMachine()
		defer s.Close()
		d := boot(t, m, s, dir)
		for _, id := range []string{"runs", "ends", "gone"} {
			create(t, s, id, api.InstanceSpec{})
			d.awaitPhase(t, id, api.PhaseRunning)
		}
		create(t, s, "again", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartUnlessStopped}})
		d.awaitPhase(t, "again", api.PhaseRunning)
		d.stop()
		d.engine.end("ends", 7)
		m.mu.Lock()
		delete(m.lives, "gone") // as after a reboot
		delete(m.lives, "again")
		m.mu.Unlock()

		d = boot(t, m, s, dir)
		in := d.awaitPhase(t, "ends", api.PhaseStopped)
		if *in.Status.ExitCode != 7 {
			t.Errorf("ends: %+v", in.Status)
		}
		in = d.awaitPhase(t, "gone", api.PhaseStopped)
		if *in.Status.ExitCode != lostCode || in.Status.Reason == "" {
			t.Errorf("gone: %+v", in.Status)
		}
		in = d.await(t, "again", "restart", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning && st.Starts == 2 })
		if in.Status.Restarts != 1 {
			t.Errorf("again: %+v", in.Status)
		}
		if in, _ := s.Instances.View("runs"); in.Status.Phase != api.PhaseRunning || in.Status.Starts != 1 {
			t.Errorf("runs: %+v", in.Status)
		}
		d.engine.end("runs", 0)
		d.awaitPhase(t, "runs", api.PhaseStopped)
		d.stop()
	})
}

// A daemon that is killed at any call, before or after its effect, is repaired
// by the next one: no life is doubled, no exit code lost, nothing left behind.
func TestCrashAtEveryCall(t *testing.T) {
	dir := t.TempDir()
	for _, ahead := range []bool{false, true} {
		for _, before := range []bool{true, false} {
			for at := 1; ; at++ {
				reached := false
				t.Run(fmt.Sprintf("%d before=%v ahead=%v", at, before, ahead), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { reached = crashAt(t, dir, at, before, ahead) })
				})
				if !reached || t.Failed() {
					break
				}
			}
		}
	}
}

func crashAt(t *testing.T, dir string, at int, before, ahead bool) (reached bool) {
	s, m := store.Memory(), newMachine()
	m.crashAt, m.before = at, before
	d := boot(t, m, s, dir)
	crashed := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.crashAt > 0 && m.calls >= m.crashAt
	}
	// reboot goes on with a new daemon when the present one is dead.
	reboot := func() {
		synctest.Wait()
		if !crashed() {
			return
		}
		reached = true
		d.stop()
		m.mu.Lock()
		m.crashAt = 0
		m.mu.Unlock()
		d = boot(t, m, s, dir)
		synctest.Wait()
	}
	reboot()
	if ahead {
		createAhead(t, d, "a", api.InstanceSpec{})
	} else {
		create(t, s, "a", api.InstanceSpec{})
	}
	reboot()
	d.awaitPhase(t, "a", api.PhaseRunning)
	d.desire(t, "a", func(x *api.Desired) { x.Life = 2 }) // restart
	reboot()
	d.await(t, "a", "life 2", func(st api.InstanceStatus) bool { return st.Phase == api.PhaseRunning && st.Life == 2 })
	d.engine.end("a", 9)
	reboot()
	in := d.awaitPhase(t, "a", api.PhaseStopped)
	if *in.Status.ExitCode != 9 {
		t.Errorf("exit code %d, want 9", *in.Status.ExitCode)
	}
	d.desire(t, "a", func(x *api.Desired) { x.Life = 3 })
	reboot()
	d.awaitPhase(t, "a", api.PhaseRunning)
	d.desire(t, "a", func(x *api.Desired) { x.State = api.DesiredStopped })
	reboot()
	d.awaitPhase(t, "a", api.PhaseStopped)
	d.desire(t, "a", func(x *api.Desired) { x.Remove = true })
	reboot()
	d.awaitGone(t, "a")
	synctest.Wait()
	if left := m.leftovers(); left != "" {
		t.Error(left)
	}
	d.stop()
	if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	return reached
}

func TestClearEndsWhatHasNoOwner(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m, full, none := newMachine(), store.Memory(), store.Memory()
		defer full.Close()
		defer none.Close()
		d := boot(t, m, full, dir)
		create(t, d.store, "a", api.InstanceSpec{})
		create(t, d.store, "b", api.InstanceSpec{Restart: api.RestartPolicy{Policy: api.RestartAlways}})
		d.awaitPhase(t, "a", api.PhaseRunning)
		d.awaitPhase(t, "b", api.PhaseRunning)
		d.stop()

		d = boot(t, m, none, dir)
		if err := d.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if left := m.leftovers(); left != "" {
			t.Error(left)
		}
		d.stop()
	})
}
