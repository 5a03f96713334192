package job

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/group"
)

// world carries plans out in virtual time: an instance runs for a second and
// ends as fails says.
type world struct {
	group   api.Group
	members []group.Member
	now     time.Time
	made    int
	fails   func(made int) bool
	most    int // instances at a time
	history []string
}

func newWorld(s api.JobSpec) *world {
	return &world{
		group: api.Group{Spec: api.GroupSpec{Job: &s}}, now: time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC),
		fails: func(int) bool { return false },
	}
}

func (w *world) decide() Plan {
	p := Decide(w.group, w.members, w.now)
	w.group.Status.Job, w.group.Status.Phase, w.group.Status.Reason = &p.Status, p.Phase, p.Reason
	w.history = append(w.history, p.Notes...)
	for _, r := range p.Remove {
		for i := range w.members {
			if w.members[i].ID == r.ID {
				w.members[i].Phase = api.PhaseRemoving
			}
		}
	}
	for _, piece := range p.Create {
		w.made++
		w.members = append(w.members, group.Member{ID: fmt.Sprint("i", w.made), Revision: p.Status.Run, Ordinal: piece, Phase: api.PhaseRunning, Started: w.now})
	}
	return p
}

func (w *world) second() {
	active := 0
	for _, m := range w.members {
		if m.Phase == api.PhaseRunning {
			active++
		}
	}
	w.most = max(w.most, active)
	w.now = w.now.Add(time.Second)
	var kept []group.Member
	for i, m := range w.members {
		switch m.Phase {
		case api.PhaseRemoving:
			continue
		case api.PhaseRunning:
			m.Phase, m.Finished = api.PhaseStopped, w.now
			if w.fails(i) {
				m.Reason = "exit 1"
			}
		}
		kept = append(kept, m)
	}
	w.members = kept
}

func (w *world) run(seconds int) {
	for range seconds {
		w.decide()
		w.second()
	}
	w.decide()
}

func TestJobDoesEveryPieceOnce(t *testing.T) {
	w := newWorld(api.JobSpec{Completions: 7, Parallelism: 3})
	w.run(10)
	st := w.group.Status
	if st.Phase != api.GroupSucceeded || st.Job.Succeeded != 7 || w.made != 7 || w.most != 3 {
		t.Fatalf("%+v %+v: made %d, %d at a time", st.Phase, st.Job, w.made, w.most)
	}
	if len(w.members) != 7 {
		t.Errorf("%d instances kept for their logs", len(w.members))
	}
}

func TestJobGivesUpAfterItsRetries(t *testing.T) {
	w := newWorld(api.JobSpec{Retries: 2})
	w.fails = func(int) bool { return true }
	w.run(60)
	if st := w.group.Status; st.Phase != api.GroupFailed || w.made != 3 || !strings.Contains(st.Reason, "exit 1") {
		t.Fatalf("%+v: made %d", st, w.made)
	}
	w = newWorld(api.JobSpec{Retries: -1})
	w.fails = func(int) bool { return true }
	w.run(10)
	if w.group.Status.Phase != api.GroupFailed || w.made != 1 {
		t.Fatalf("without retries: made %d", w.made)
	}
}

func TestJobKeepsItsDeadline(t *testing.T) {
	w := newWorld(api.JobSpec{Completions: 100, Parallelism: 1, Deadline: api.Duration(5 * time.Second)})
	w.run(20)
	if st := w.group.Status; st.Phase != api.GroupFailed || w.made > 6 || st.Job.Finished.Sub(st.Job.Started) != 5*time.Second {
		t.Fatalf("%+v %+v: made %d", st, st.Job, w.made)
	}
}

func TestJobFollowsItsSchedule(t *testing.T) {
	w := newWorld(api.JobSpec{Schedule: "*/5 * * * *"})
	w.decide()
	if w.made != 0 || w.group.Status.Phase != api.GroupWaiting {
		t.Fatalf("a run before its time: %+v", w.group.Status)
	}
	w.run(16 * 60)
	if st := w.group.Status.Job; st.Run != 3 || w.made != 3 {
		t.Fatalf("after 16 minutes: %+v, made %d", st, w.made)
	}
	if len(w.members) != 1 {
		t.Errorf("%d instances of older runs are left", len(w.members)-1)
	}
}

func TestScheduledRunIsLeftOutWhileOneIsUnderWay(t *testing.T) {
	w := newWorld(api.JobSpec{Completions: 100, Parallelism: 1, Schedule: "* * * * *"})
	w.run(100)
	if st := w.group.Status.Job; st.Run != 1 {
		t.Fatalf("%+v", st)
	}
	if last := w.history[len(w.history)-1]; !strings.Contains(last, "left out") {
		t.Errorf("history: %v", w.history)
	}
}

func TestPausedJobStartsNothing(t *testing.T) {
	w := newWorld(api.JobSpec{Completions: 5})
	w.group.Spec.Paused = true
	w.run(10)
	if w.made != 0 {
		t.Fatalf("made %d", w.made)
	}
	w.group.Spec.Paused = false
	w.run(10)
	if w.group.Status.Phase != api.GroupSucceeded {
		t.Fatalf("%+v", w.group.Status)
	}
}

// Whatever fails, a run ends, and never has more than its parallelism.
func TestRunsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := api.JobSpec{
			Completions: rapid.IntRange(0, 8).Draw(t, "completions"),
			Parallelism: rapid.IntRange(0, 4).Draw(t, "parallelism"),
			Retries:     rapid.IntRange(-1, 5).Draw(t, "retries"),
		}
		w := newWorld(s)
		bad := rapid.SliceOfN(rapid.Bool(), 40, 40).Draw(t, "fails")
		w.fails = func(i int) bool { return bad[i%len(bad)] }
		w.run(400)
		c := complete(s)
		if w.most > c.Parallelism {
			t.Fatalf("%d at a time", w.most)
		}
		switch st := w.group.Status; {
		case st.Phase == api.GroupSucceeded && st.Job.Succeeded == c.Completions && st.Job.Failed <= c.Retries:
		case st.Phase == api.GroupFailed && st.Job.Failed > c.Retries:
		default:
			t.Fatalf("%+v %+v", st, st.Job)
		}
	})
}
