package group

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
)

// world carries plans out the way the controller and the node do, in virtual
// time: members start, become ready, end, and take a while to be removed.
type world struct {
	group   api.Group
	members []Member
	now     time.Time
	made    int
	broken  map[int]bool // revisions whose instances end at once
	starts  []time.Time
}

func newWorld(spec api.GroupSpec) *world {
	return &world{
		group:  api.Group{Spec: spec, Revisions: []api.GroupRevision{{Number: 1}}},
		now:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		broken: map[int]bool{},
	}
}

func (w *world) revise(n int) {
	w.group.Revisions = append(w.group.Revisions, api.GroupRevision{Number: n})
	w.group.Status.Failures, w.group.Status.NextTry = 0, time.Time{}
}

// decide makes one plan and carries it out.
func (w *world) decide() Plan {
	p := Decide(w.group, w.members, w.now)
	w.group.Status = p.Status
	for _, r := range p.Remove {
		for i := range w.members {
			if w.members[i].ID == r.ID {
				w.members[i].Phase = api.PhaseRemoving
			}
		}
	}
	for _, c := range p.Create {
		w.made++
		w.starts = append(w.starts, w.now)
		m := Member{ID: fmt.Sprint("i", w.made), Revision: c.Revision, Ordinal: c.Ordinal, Created: w.now, Phase: api.PhaseStarting,
			Desired: api.DesiredRunning, Warm: c.Warm != ""}
		if c.Warm == api.WarmStopped {
			m.Phase, m.Desired = api.PhaseCreated, api.DesiredStopped
		}
		w.members = append(w.members, m)
	}
	for _, id := range p.Promote {
		m := w.member(id)
		if m.Warm = false; m.Desired == api.DesiredStopped {
			m.Phase = api.PhaseStarting
		}
		m.Desired = api.DesiredRunning
	}
	for _, id := range p.Freeze {
		w.member(id).Desired = api.DesiredPaused
	}
	if p.Rollback != 0 {
		w.revise(len(w.group.Revisions) + 1)
	}
	return p
}

func (w *world) member(id string) *Member {
	for i := range w.members {
		if w.members[i].ID == id {
			return &w.members[i]
		}
	}
	panic("no member " + id)
}

// pass lets time go by in which everything that is under way completes.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	var kept []Member
	for _, m := range w.members {
		switch m.Phase {
		case api.PhaseRemoving:
			continue
		case api.PhaseStarting:
			m.Phase, m.Started = api.PhaseRunning, w.now
			if w.broken[m.Revision] {
				m.Phase, m.Reason = api.PhaseStopped, "exit 1"
			}
		case api.PhaseRunning:
			if m.Desired == api.DesiredPaused {
				m.Phase = api.PhasePaused
			}
		case api.PhasePaused:
			if m.Desired == api.DesiredRunning {
				m.Phase = api.PhaseRunning
			}
		}
		kept = append(kept, m)
	}
	w.members = kept
}

func (w *world) count(want func(Member) bool) int {
	n := 0
	for _, m := range w.members {
		if want(m) {
			n++
		}
	}
	return n
}

func (w *world) ready() int {
	return w.count(func(m Member) bool { return !m.Warm && m.ready(w.now, 0) })
}

// alive are those that count as the group's.
func (w *world) alive() int {
	return w.count(func(m Member) bool { return !m.Warm && m.Phase != api.PhaseRemoving })
}

// prepared are the warm ones.
func (w *world) prepared() int {
	return w.count(func(m Member) bool { return m.Warm && m.Phase != api.PhaseRemoving })
}

func (w *world) settle(t *testing.T, steps int) {
	t.Helper()
	for range steps {
		if p := w.decide(); p.Status.Phase == api.GroupSteady && len(p.Create)+len(p.Remove) == 0 {
			return
		}
		w.pass(time.Second)
	}
	t.Fatalf("not steady after %d steps: %+v", steps, w.members)
}

func TestGroupGrowsHealsAndShrinks(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3})
	w.settle(t, 10)
	if w.ready() != 3 {
		t.Fatalf("%d ready, want 3", w.ready())
	}
	w.members[0].Phase, w.members[0].Reason = api.PhaseStopped, "exit 1"
	p := w.decide()
	if len(p.Remove) != 1 || len(p.Create) != 1 {
		t.Fatalf("a dead member is not replaced at once: %+v", p)
	}
	w.settle(t, 30)
	w.group.Spec.Desired = 1
	w.settle(t, 10)
	if w.ready() != 1 {
		t.Fatalf("%d ready after scaling in to 1", w.ready())
	}
}

func TestProtectedMembersStay(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3})
	w.settle(t, 10)
	w.members[2].Protected = true
	keep := w.members[2].ID
	w.group.Spec.Desired = 1
	w.settle(t, 10)
	if len(w.members) != 1 || w.members[0].ID != keep {
		t.Fatalf("protected %s is not what is left: %+v", keep, w.members)
	}
}

func TestRollNeverDropsBelowTheFloorNorAboveTheSurge(t *testing.T) {
	for _, surge := range []int{0, 1, 2} {
		for _, unavailable := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("surge %d unavailable %d", surge, unavailable), func(t *testing.T) {
				w := newWorld(api.GroupSpec{Desired: 4, Update: api.UpdatePolicy{MaxSurge: &surge, MaxUnavailable: unavailable}})
				w.settle(t, 20)
				w.revise(2)
				allowed := surge
				if surge == 0 && unavailable == 0 {
					allowed = 1
				}
				for range 60 {
					p := w.decide()
					alive := w.count(func(m Member) bool { return m.Phase != api.PhaseRemoving })
					if alive > 4+allowed {
						t.Fatalf("%d alive with a surge of %d", alive, allowed)
					}
					if floor := 4 - unavailable; w.ready() < floor && !(allowed == 0 && w.ready() >= floor-1) {
						t.Fatalf("%d ready, floor %d", w.ready(), floor)
					}
					if p.Status.Phase == api.GroupSteady {
						break
					}
					w.pass(time.Second)
				}
				if n := w.count(func(m Member) bool { return m.Revision == 2 && m.ready(w.now, 0) }); n != 4 {
					t.Fatalf("%d of revision 2 at the end", n)
				}
			})
		}
	}
}

func TestBrokenTemplateBacksOffAndKeepsTheOldOnes(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3})
	w.settle(t, 10)
	w.broken[2] = true
	w.revise(2)
	w.starts = nil
	for end := w.now.Add(10 * time.Minute); w.now.Before(end); {
		w.decide()
		w.pass(time.Second)
		if w.ready() < 3 {
			t.Fatalf("a broken roll left %d of 3 ready", w.ready())
		}
	}
	if n := len(w.starts); n < 5 || n > 25 {
		t.Errorf("%d starts in ten minutes: want few, ever further apart", n)
	}
	if w.group.Status.Phase != api.GroupFailing || w.group.Status.Reason == "" {
		t.Errorf("status does not say that it fails: %+v", w.group.Status)
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 2, Update: api.UpdatePolicy{Rollback: 3}})
	w.settle(t, 10)
	w.broken[2] = true
	w.revise(2)
	back := 0
	for range 100 {
		if p := w.decide(); p.Rollback != 0 {
			back = p.Rollback
			break
		}
		w.pass(time.Second)
	}
	if back != 1 || w.group.Status.RolledBack != 2 {
		t.Fatalf("rolled back to %d, status %+v", back, w.group.Status)
	}
	w.settle(t, 60)
}

func TestStatefulGroupStartsInOrderAndKeepsNames(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3, Stateful: true})
	for want := range 3 {
		p := w.decide()
		if len(p.Create) != 1 || p.Create[0].Ordinal != want {
			t.Fatalf("step %d: %+v", want, p.Create)
		}
		if q := w.decide(); len(q.Create) != 0 {
			t.Fatalf("did not wait for %d to be ready: %+v", want, q.Create)
		}
		w.pass(time.Second)
	}
	w.members[1].Phase = api.PhaseStopped
	if p := w.decide(); len(p.Create) != 0 {
		t.Fatalf("made a second 1 while the first is being removed: %+v", p.Create)
	}
	w.pass(time.Second)
	if p := w.decide(); len(p.Create) != 1 || p.Create[0].Ordinal != 1 {
		t.Fatalf("want ordinal 1 again: %+v", p.Create)
	}
	w.pass(time.Second)
	w.revise(2)
	for range 40 {
		w.decide()
		seen := map[int]bool{}
		for _, m := range w.members {
			if seen[m.Ordinal] {
				t.Fatalf("two of ordinal %d", m.Ordinal)
			}
			seen[m.Ordinal] = true
		}
		w.pass(time.Second)
	}
	if n := w.count(func(m Member) bool { return m.Revision == 2 }); n != 3 {
		t.Fatalf("%d of revision 2", n)
	}
}

// Whatever dies and whenever the controller is killed, a group is steady in
// the end and its limits hold on the way.
func TestGroupConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		surge := rapid.IntRange(0, 3).Draw(t, "surge")
		spec := api.GroupSpec{
			Desired:  rapid.IntRange(0, 6).Draw(t, "desired"),
			Stateful: rapid.Bool().Draw(t, "stateful"),
			Update:   api.UpdatePolicy{MaxSurge: &surge, MaxUnavailable: rapid.IntRange(0, 2).Draw(t, "unavailable")},
		}
		if !spec.Stateful {
			spec.Warm = &api.WarmPool{Size: rapid.IntRange(0, 3).Draw(t, "warm"), State: rapid.SampledFrom([]api.WarmState{"", api.WarmStopped, api.WarmPaused}).Draw(t, "state")}
		}
		w := newWorld(spec)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "event") {
			case 0:
				if n := len(w.members); n > 0 {
					i := rapid.IntRange(0, n-1).Draw(t, "victim")
					if w.members[i].Phase != api.PhaseRemoving {
						w.members[i].Phase = api.PhaseStopped
					}
				}
			case 1:
				w.revise(len(w.group.Revisions) + 1)
			case 2:
				w.group.Spec.Desired = rapid.IntRange(0, 6).Draw(t, "desired")
			case 3:
				// The controller is killed after removing and before making.
				p := Decide(w.group, w.members, w.now)
				for _, r := range p.Remove {
					for i := range w.members {
						if w.members[i].ID == r.ID {
							w.members[i].Phase = api.PhaseRemoving
						}
					}
				}
			case 4:
				w.now = w.now.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "clock step")) * time.Minute)
			default:
				before := w.alive()
				w.decide()
				alive := w.alive()
				if spec.Warm != nil && w.prepared() > spec.Warm.Size {
					t.Fatalf("%d warm, want at most %d", w.prepared(), spec.Warm.Size)
				}
				if limit := w.group.Spec.Desired + max(surge, 1); alive > limit && alive > before {
					t.Fatalf("grew to %d, limit %d", alive, limit)
				}
			}
			w.pass(time.Second)
		}
		for range 400 {
			p := w.decide()
			if pool := w.group.Spec.Warm; p.Status.Phase == api.GroupSteady && (pool == nil || p.Status.Warm == pool.Size) {
				if w.ready() != w.group.Spec.Desired {
					t.Fatalf("steady with %d of %d ready", w.ready(), w.group.Spec.Desired)
				}
				return
			}
			w.pass(time.Second)
		}
		t.Fatalf("never steady: %+v %+v", w.group.Status, w.members)
	})
}

// Instances that run for a moment and then end must not take the place of
// those that serve.
func TestShortLivedTemplateKeepsTheOldOnes(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3})
	w.settle(t, 10)
	w.pass(time.Minute)
	w.revise(2)
	for end := w.now.Add(5 * time.Minute); w.now.Before(end); {
		w.decide()
		w.pass(50 * time.Millisecond)
		w.decide() // sees the new one running
		for i := range w.members {
			if m := &w.members[i]; m.Revision == 2 && m.Phase == api.PhaseRunning && w.now.Sub(m.Started) >= 500*time.Millisecond {
				m.Phase, m.Reason = api.PhaseStopped, "exit 0"
			}
		}
		if n := w.count(func(m Member) bool { return m.Revision == 1 && m.ready(w.now, 0) }); n < 3 {
			t.Fatalf("%d of 3 old ones left", n)
		}
	}
	if w.group.Status.Phase != api.GroupFailing {
		t.Errorf("status %+v", w.group.Status)
	}
}

// A group that grows takes what is warm first, and the pool is filled again.
func TestWarmPool(t *testing.T) {
	for _, state := range []api.WarmState{api.WarmStopped, api.WarmPaused} {
		t.Run(string(state), func(t *testing.T) {
			w := newWorld(api.GroupSpec{Desired: 1, Warm: &api.WarmPool{Size: 2, State: state}})
			for range 10 {
				w.decide()
				w.pass(time.Second)
			}
			phase := map[api.WarmState]api.Phase{api.WarmStopped: api.PhaseCreated, api.WarmPaused: api.PhasePaused}[state]
			waiting := w.count(func(m Member) bool { return m.Warm && m.Phase == phase })
			if w.ready() != 1 || waiting != 2 || w.group.Status.Warm != 2 || w.group.Status.Instances != 1 || w.group.Status.Phase != api.GroupSteady {
				t.Fatalf("%d ready, %d %s, %+v", w.ready(), waiting, phase, w.group.Status)
			}
			w.group.Spec.Desired = 4
			p := w.decide()
			if len(p.Promote) != 2 || len(p.Create) != 1+2 {
				t.Fatalf("growing by three: %+v", p)
			}
			w.settle(t, 10)
			w.revise(2)
			w.settle(t, 60)
			for range 10 {
				w.decide()
				w.pass(time.Second)
			}
			if n := w.count(func(m Member) bool { return m.Revision == 2 }); n != 6 || w.group.Status.Warm != 2 {
				t.Errorf("%d of revision 2 after a roll, want 4 and 2 warm: %+v", n, w.group.Status)
			}
			w.group.Spec.Warm = nil
			w.settle(t, 10)
			if w.prepared() != 0 {
				t.Errorf("%d warm without a pool", w.prepared())
			}
		})
	}
}

// A template that cannot start makes no storm of warm instances either.
func TestWarmPoolOfABrokenTemplate(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 1, Warm: &api.WarmPool{Size: 5, State: api.WarmPaused}})
	w.broken[1] = true
	for range 600 {
		w.decide()
		w.pass(time.Second)
	}
	if n := w.made; n > 40 {
		t.Errorf("%d instances in ten minutes", n)
	}
}

// A flapping health check is answered ever more slowly, and the others stay.
func TestFlappingHealthMakesNoStorm(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3})
	w.settle(t, 10)
	made := w.made
	for range 600 {
		for i := range w.members {
			m := &w.members[i]
			m.Checked, m.Health = true, api.HealthHealthy
			// The third place has one that is well for three seconds, and unwell then.
			if m.ID != "i1" && m.ID != "i2" && m.Phase == api.PhaseRunning && w.now.Sub(m.Started) > 3*time.Second {
				m.Health = api.HealthUnhealthy
			}
		}
		w.decide()
		w.pass(time.Second)
	}
	if n := w.made - made; n < 5 || n > 20 {
		t.Errorf("%d replacements in ten minutes, want few, ever further apart", n)
	}
}

// A clock that is set back holds neither rolls nor replacements up.
func TestClockSetBack(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3})
	w.settle(t, 10)
	w.broken[2] = true
	w.revise(2)
	for range 300 {
		w.decide()
		w.pass(time.Second)
	}
	w.broken[2] = false
	w.now = w.now.Add(-24 * time.Hour)
	w.settle(t, 120)
	if n := w.count(func(m Member) bool { return m.Revision == 2 && m.ready(w.now, 0) }); n != 3 {
		t.Errorf("%d of 3 rolled", n)
	}
}
