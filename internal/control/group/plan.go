package group

import (
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Plan is what to do now. Remove before Create keeps within the surge.
type Plan struct {
	Remove []Removal
	Create []Creation
	// Promote are warm members to be put into service, Freeze such that are
	// ready and are to be paused now.
	Promote, Freeze []string
	// Rollback is the revision to return to, or 0.
	Rollback int
	Status   api.GroupStatus // without History
	// Wake is when time alone may change the plan; zero is never.
	Wake time.Time
}

// Removal is a member to be removed, and why.
type Removal struct{ ID, Reason string }

// Creation is a member to be made from a revision, and why.
type Creation struct {
	Revision, Ordinal int
	Reason            string
	Warm              api.WarmState // "" for one that is to serve
	// OnDemand makes it an on-demand instance though the template is spot.
	OnDemand bool
}

// planner collects one plan.
type planner struct {
	spec      api.GroupSpec
	current   int
	revisions []int // numbers, the current one last
	now       time.Time
	alive     []Member // neither failed nor being removed
	warm      []Member // the same of those that wait
	plan      Plan
}

// Decide makes the plan for g, whose members are all instances that belong to
// it, those being removed included.
func Decide(g api.Group, members []Member, now time.Time) Plan {
	p := &planner{spec: g.Spec, current: current(g), now: now}
	p.spec.Update = policy(g)
	for _, r := range g.Revisions {
		p.revisions = append(p.revisions, r.Number)
	}
	p.plan.Status = api.GroupStatus{
		Failures: g.Status.Failures, NextTry: g.Status.NextTry, RolledBack: g.Status.RolledBack, Held: g.Status.Held, Reason: g.Status.Reason,
	}
	if p.plan.Status.NextTry.After(now.Add(longestWait)) {
		p.plan.Status.NextTry = time.Time{} // the clock was set back
	}
	leaving := p.heal(members)
	if p.rollback(g) {
		return p.plan
	}
	p.hold()
	if !p.spec.Paused {
		p.roll(leaving)
		p.scaleIn()
	}
	p.grow(leaving)
	p.keepWarm()
	p.summarize()
	return p.plan
}

func current(g api.Group) int {
	if n := len(g.Revisions); n > 0 {
		return g.Revisions[n-1].Number
	}
	return 0
}

func (p *planner) summarize() {
	s := &p.plan.Status
	s.Instances, s.Ready = len(p.alive), p.readyCount()
	for _, m := range p.alive {
		if m.Revision == p.current {
			s.Current++
		}
		if until := m.Started.Add(max(p.minReady(), provenAfter)); m.Phase == api.PhaseRunning && until.After(p.now) {
			p.wake(m.Started.Add(p.minReady()))
			p.wake(m.Started.Add(p.trust(m)))
			if s.Failures > 0 {
				p.wake(until)
			}
		}
		if grace := m.Started.Add(time.Duration(p.spec.HealthGrace)); m.Health == api.HealthUnhealthy {
			p.wake(grace)
		}
	}
	switch {
	case p.spec.Paused:
		s.Phase = api.GroupPaused
	case s.Failures > 2 || p.held():
		s.Phase = api.GroupFailing
	case s.Current < s.Instances:
		s.Phase = api.GroupRolling
	case s.Ready == p.spec.Desired && s.Instances == s.Ready && len(p.plan.Remove) == 0:
		s.Phase = api.GroupSteady
	default:
		s.Phase = api.GroupScaling
	}
}

// wake asks for a plan at t, if that is yet to come.
func (p *planner) wake(t time.Time) {
	if t.After(p.now) && (p.plan.Wake.IsZero() || t.Before(p.plan.Wake)) {
		p.plan.Wake = t
	}
}

func (p *planner) pick(want func(Member) bool) []Member {
	var out []Member
	for _, m := range p.alive {
		if want(m) {
			out = append(out, m)
		}
	}
	return out
}

func (p *planner) readyCount() int {
	return len(p.pick(func(m Member) bool { return m.ready(p.now, p.minReady()) }))
}

func (p *planner) remove(m Member, reason string) {
	p.plan.Remove = append(p.plan.Remove, Removal{m.ID, reason})
}

// drop removes a living member.
func (p *planner) drop(m Member, reason string) {
	p.remove(m, reason)
	p.alive = slices.DeleteFunc(p.alive, func(o Member) bool { return o.ID == m.ID })
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
