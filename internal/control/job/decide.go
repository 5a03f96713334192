package job

import (
	"fmt"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/cron"
	"github.com/virga-cloud/virga/internal/control/group"
)

const (
	defaultRetries = 3
	// A piece of work that failed is tried again after firstWait, doubled for
	// each failure of the run to longestWait.
	firstWait   = time.Second
	longestWait = time.Minute
)

// Plan is what to do now.
type Plan struct {
	Remove []group.Removal
	Create []int // pieces of work, from 0
	Status api.JobStatus
	Phase  api.GroupPhase
	Reason string // of a run that failed
	// Notes are what was decided, for the history.
	Notes []string
	// Wake is when time alone may change the plan; zero is never.
	Wake time.Time
}

// planner collects one plan.
type planner struct {
	spec api.JobSpec
	now  time.Time
	plan Plan
}

// Decide makes the plan for the job g, whose members are all its instances. A
// member's revision is the run it belongs to, its ordinal the piece of work,
// and it has succeeded when it is stopped without a reason.
func Decide(g api.Group, members []group.Member, now time.Time) Plan {
	p := &planner{spec: complete(*g.Spec.Job), now: now}
	p.plan.Phase, p.plan.Reason = g.Status.Phase, g.Status.Reason
	if g.Status.Job != nil {
		p.plan.Status = *g.Status.Job
	}
	p.begin(g.Spec.Paused)
	run := p.sort(members)
	if st := &p.plan.Status; st.Run > 0 && st.Finished.IsZero() {
		p.work(run, g.Spec.Paused, g.Status.NextTry)
	}
	return p.plan
}

// complete fills in the defaults.
func complete(s api.JobSpec) api.JobSpec {
	s.Completions = max(s.Completions, 1)
	if s.Parallelism == 0 {
		s.Parallelism = s.Completions
	}
	switch s.Retries {
	case 0:
		s.Retries = defaultRetries
	case -1:
		s.Retries = 0
	}
	return s
}

// begin starts a run when it is time for one.
func (p *planner) begin(paused bool) {
	st := &p.plan.Status
	if p.spec.Schedule == "" {
		if st.Run == 0 && !paused {
			p.start("")
		}
		return
	}
	at, err := cron.Parse(p.spec.Schedule)
	if err != nil {
		return // refused when the job was stored
	}
	if st.Run == 0 {
		p.plan.Phase = api.GroupWaiting
	}
	switch due := !st.Next.IsZero() && !p.now.Before(st.Next); {
	case st.Next.IsZero():
		st.Next = at.Next(p.now)
	case due && paused:
		st.Next = at.Next(p.now)
	case due && st.Run > 0 && st.Finished.IsZero():
		p.note("the run of %s was left out because run %d is under way", st.Next.Format(time.DateTime), st.Run)
		st.Next = at.Next(p.now)
	case due:
		p.start(fmt.Sprintf(" because of the schedule %q", p.spec.Schedule))
		st.Next = at.Next(p.now)
	}
	p.wake(st.Next)
}

func (p *planner) start(why string) {
	next := p.plan.Status.Next
	p.plan.Status = api.JobStatus{Run: p.plan.Status.Run + 1, Started: p.now, Next: next}
	p.plan.Phase, p.plan.Reason = api.GroupRunning, ""
	p.note("run %d started%s", p.plan.Status.Run, why)
}

// sort returns the members of the newest run, and has those of older ones
// removed.
func (p *planner) sort(members []group.Member) (run []group.Member) {
	for _, m := range members {
		switch {
		case m.Phase == api.PhaseRemoving:
		case m.Revision < p.plan.Status.Run:
			p.remove(m, "a newer run began")
		default:
			run = append(run, m)
		}
	}
	return run
}

// work makes instances for what is still to be done, or ends the run.
func (p *planner) work(run []group.Member, paused bool, notBefore time.Time) {
	st := &p.plan.Status
	done, busy := map[int]bool{}, map[int]bool{}
	st.Succeeded, st.Failed, st.Active = 0, 0, 0
	var last time.Time // failure
	reason := ""
	for _, m := range run {
		switch {
		case m.Phase == api.PhaseStopped && m.Reason == "":
			done[m.Ordinal] = true
		case m.Phase == api.PhaseStopped || m.Phase == api.PhaseFailed:
			st.Failed++
			if !m.Finished.Before(last) {
				last, reason = m.Finished, m.Reason
			}
		default:
			busy[m.Ordinal] = true
		}
	}
	st.Succeeded, st.Active = len(done), len(busy)
	end := st.Started.Add(time.Duration(p.spec.Deadline))
	switch {
	case st.Succeeded >= p.spec.Completions:
		p.finish(run, api.GroupSucceeded, "")
		return
	case st.Failed > p.spec.Retries:
		p.finish(run, api.GroupFailed, fmt.Sprintf("%d instances failed, the last one: %s", st.Failed, reason))
		return
	case p.spec.Deadline > 0 && !p.now.Before(end):
		p.finish(run, api.GroupFailed, fmt.Sprintf("not done within %s", p.spec.Deadline))
		return
	}
	p.plan.Phase, p.plan.Reason = api.GroupRunning, reason
	if p.spec.Deadline > 0 {
		p.wake(end)
	}
	if paused {
		p.plan.Phase = api.GroupPaused
		return
	}
	if st.Failed > 0 {
		wait := min(firstWait<<min(st.Failed-1, 10), longestWait)
		if next := last.Add(wait); next.After(notBefore) {
			notBefore = next
		}
	}
	if p.now.Before(notBefore) {
		p.wake(notBefore)
		return
	}
	for i := 0; i < p.spec.Completions && st.Active+len(p.plan.Create) < p.spec.Parallelism; i++ {
		if !done[i] && !busy[i] {
			p.plan.Create = append(p.plan.Create, i)
		}
	}
}

// finish ends the run; what still runs of it is removed, what has ended is
// kept for its log.
func (p *planner) finish(run []group.Member, phase api.GroupPhase, reason string) {
	st := &p.plan.Status
	st.Finished = p.now
	p.plan.Phase, p.plan.Reason = phase, reason
	for _, m := range run {
		if m.Phase != api.PhaseStopped && m.Phase != api.PhaseFailed {
			p.remove(m, "the run is over")
		}
	}
	st.Active = 0
	if reason != "" {
		reason = " because " + reason
	}
	p.note("run %d %s%s", st.Run, phase, reason)
}

func (p *planner) remove(m group.Member, reason string) {
	p.plan.Remove = append(p.plan.Remove, group.Removal{ID: m.ID, Reason: reason})
}

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(slices.Clip(p.plan.Notes), fmt.Sprintf(format, args...))
}

// wake asks for a plan at t, if that is yet to come.
func (p *planner) wake(t time.Time) {
	if t.After(p.now) && (p.plan.Wake.IsZero() || t.Before(p.plan.Wake)) {
		p.plan.Wake = t
	}
}
