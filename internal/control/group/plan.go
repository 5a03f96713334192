package group

import (
	"fmt"
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

const (
	firstWait   = 100 * time.Millisecond
	longestWait = time.Minute
	// provenAfter is how long a member must have served for the failures
	// before it to be forgotten.
	provenAfter = 10 * time.Second
	// trustedAfter is how long a member without a health check must have run
	// before it may take the place of one of an older revision: most templates
	// that are broken end sooner.
	trustedAfter = time.Second
)

// wait is the time before the next try after that many failures in a row.
// The first failure is answered at once: most have a cause that is gone.
func wait(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	return min(firstWait<<min(failures-2, 20), longestWait)
}

// planner collects one plan.
type planner struct {
	spec    api.GroupSpec
	current int
	now     time.Time
	alive   []Member // neither failed nor being removed
	warm    []Member // the same of those that wait
	plan    Plan
}

// Decide makes the plan for g, whose members are all instances that belong to
// it, those being removed included.
func Decide(g api.Group, members []Member, now time.Time) Plan {
	p := &planner{spec: g.Spec, current: current(g), now: now}
	p.plan.Status = api.GroupStatus{
		Failures: g.Status.Failures, NextTry: g.Status.NextTry, RolledBack: g.Status.RolledBack, Reason: g.Status.Reason,
	}
	if p.plan.Status.NextTry.After(now.Add(longestWait)) {
		p.plan.Status.NextTry = time.Time{} // the clock was set back
	}
	leaving := p.heal(members)
	if p.rollback(g) {
		return p.plan
	}
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

// heal sorts the members, has the failed ones removed and counts them. It
// returns how many still hold a place while they leave.
func (p *planner) heal(members []Member) (leaving int) {
	for _, m := range members {
		switch {
		case m.Phase == api.PhaseRemoving:
			leaving++
		case m.Noticed:
			// The market ends it. That it ended itself is no failure.
			if m.Phase.Ended() {
				p.remove(m, "it was interrupted")
			}
			leaving++
		case m.failed(p.now, time.Duration(p.spec.HealthGrace)):
			p.plan.Status.Failures++
			p.plan.Status.NextTry = p.now.Add(wait(p.plan.Status.Failures))
			p.plan.Status.Reason = m.Reason
			p.remove(m, "it "+failure(m))
			leaving++
		case m.Warm:
			p.warm = append(p.warm, m)
		default:
			p.alive = append(p.alive, m)
		}
	}
	slices.SortFunc(p.alive, func(a, b Member) int { return a.Created.Compare(b.Created) })
	if len(p.plan.Remove) == 0 && p.proven() {
		p.plan.Status.Failures, p.plan.Status.NextTry, p.plan.Status.Reason = 0, time.Time{}, ""
	}
	return leaving
}

// proven reports whether the failures before may be forgotten: a member made
// since has served, or there are as many as there should be that have. Those
// that serve all along say nothing about one that fails again and again.
func (p *planner) proven() bool {
	good := p.pick(func(m Member) bool { return m.Revision == p.current && m.ready(p.now, provenAfter) })
	since := slices.ContainsFunc(good, func(m Member) bool { return !m.Created.Before(p.plan.Status.NextTry) })
	return since || len(good) == len(p.alive) && len(good) >= p.spec.Desired
}

func failure(m Member) string {
	switch {
	case m.Phase == api.PhaseRunning:
		return "is unhealthy"
	case m.Phase == api.PhaseFailed:
		return "could not be started: " + m.Reason
	case m.Reason != "":
		return "ended: " + m.Reason
	}
	return "ended"
}

// rollback gives the current revision up when too many of it failed in a row.
func (p *planner) rollback(g api.Group) bool {
	limit := p.spec.Update.Rollback
	if limit == 0 || p.plan.Status.Failures < limit || len(g.Revisions) < 2 || p.spec.Paused {
		return false
	}
	// What was rolled back to is not left for what was given up.
	if p.rolled() || g.Status.RolledBack != 0 {
		return false
	}
	p.plan.Rollback = g.Revisions[len(g.Revisions)-2].Number
	p.plan.Status.RolledBack = p.current
	p.plan.Status.Failures, p.plan.Status.NextTry = 0, time.Time{}
	p.plan.Status.Phase = api.GroupRolling
	p.plan.Status.Reason = fmt.Sprintf("revision %d failed %d times in a row", p.current, limit)
	p.plan.Wake = p.now
	return true
}

// rolled reports whether the current revision serves everywhere.
func (p *planner) rolled() bool {
	n := 0
	for _, m := range p.alive {
		if m.Revision == p.current && m.ready(p.now, p.minReady()) {
			n++
		}
	}
	return n >= p.spec.Desired
}

func (p *planner) minReady() time.Duration { return time.Duration(p.spec.Update.MinReady) }

func (p *planner) surge() int {
	if s := p.spec.Update.MaxSurge; s != nil {
		if *s == 0 && p.spec.Update.MaxUnavailable == 0 {
			return 1 // neither would ever move
		}
		return *s
	}
	if p.spec.Stateful {
		return 0 // an ordinal exists once
	}
	return 1
}

// floor is the fewest ready members a roll or a scale may leave.
func (p *planner) floor() int {
	unavailable := p.spec.Update.MaxUnavailable
	if p.spec.Stateful || p.surge() == 0 {
		unavailable = max(unavailable, 1)
	}
	return p.spec.Desired - unavailable
}

// roll removes members of older revisions as far as the floor allows, those
// that do not serve first.
func (p *planner) roll(leaving int) {
	old := p.pick(func(m Member) bool { return m.Revision != p.current })
	if len(old) == 0 {
		return
	}
	slices.SortStableFunc(old, func(a, b Member) int { return btoi(a.ready(p.now, 0)) - btoi(b.ready(p.now, 0)) })
	if p.spec.Stateful {
		// From the last ordinal down, one at a time.
		slices.SortStableFunc(old, func(a, b Member) int { return b.Ordinal - a.Ordinal })
		if leaving > 0 || p.readyCount() < len(p.alive) && old[0].ready(p.now, 0) {
			return
		}
		old = old[:1]
	}
	for _, m := range old {
		serves := m.ready(p.now, p.minReady())
		if serves && p.trustedCount()-1 < p.floor() {
			continue
		}
		p.drop(m, fmt.Sprintf("revision %d replaces %d", p.current, m.Revision))
	}
}

// scaleIn removes what is beyond desired, once no older revision is left to
// take the place of.
func (p *planner) scaleIn() {
	excess := len(p.alive) - p.spec.Desired
	if excess <= 0 {
		return
	}
	if len(p.pick(func(m Member) bool { return m.Revision != p.current })) > 0 {
		excess -= p.surge()
	}
	order := p.pick(func(m Member) bool { return !m.Protected })
	if p.spec.ScaleIn != "oldest" {
		slices.Reverse(order)
	}
	if p.spec.Stateful {
		slices.SortStableFunc(order, func(a, b Member) int { return b.Ordinal - a.Ordinal })
	} else {
		slices.SortStableFunc(order, func(a, b Member) int {
			if d := btoi(a.ready(p.now, 0)) - btoi(b.ready(p.now, 0)); d != 0 {
				return d
			}
			if d := btoi(a.Revision == p.current) - btoi(b.Revision == p.current); d != 0 {
				return d
			}
			return p.surplus(a) - p.surplus(b)
		})
	}
	for _, m := range order {
		if excess <= 0 {
			return
		}
		if m.ready(p.now, p.minReady()) && p.readyCount()-1 < min(p.floor(), p.spec.Desired) {
			continue
		}
		p.drop(m, fmt.Sprintf("scaling in to %d", p.spec.Desired))
		excess--
	}
}

// grow makes what is missing of the current revision.
func (p *planner) grow(leaving int) {
	fresh := len(p.pick(func(m Member) bool { return m.Revision == p.current }))
	missing := p.spec.Desired - fresh
	if p.spec.Paused {
		missing = p.spec.Desired - len(p.alive)
	}
	room := p.spec.Desired + p.surge() - len(p.alive)
	if p.spec.Stateful {
		// A name is free only when who had it is gone.
		room = p.spec.Desired - len(p.alive) - leaving - len(p.plan.Remove)
		if leaving > 0 {
			room = 0
		}
	}
	n := min(missing, room)
	if n <= 0 {
		return
	}
	if p.now.Before(p.plan.Status.NextTry) {
		p.wake(p.plan.Status.NextTry)
		return
	}
	if p.plan.Status.Failures > 0 {
		n = 1 // one at a time until one is proven
		if slices.ContainsFunc(p.alive, func(m Member) bool { return m.Revision == p.current && !m.ready(p.now, 0) }) {
			return
		}
	}
	n -= p.promote(n)
	for _, ordinal := range p.freeOrdinals(n) {
		p.plan.Create = append(p.plan.Create, Creation{Revision: p.current, Ordinal: ordinal, OnDemand: p.nextOnDemand(),
			Reason: fmt.Sprintf("%d of %d", len(p.alive)+len(p.plan.Create)+1, p.spec.Desired)})
	}
}

// freeOrdinals are the n lowest that nobody has. A stateful group gets only
// the first, and only when those before it are ready.
func (p *planner) freeOrdinals(n int) []int {
	taken := map[int]bool{}
	for _, m := range p.alive {
		taken[m.Ordinal] = true
	}
	var free []int
	for i := 0; len(free) < n; i++ {
		if !taken[i] {
			free = append(free, i)
		}
	}
	if !p.spec.Stateful || n <= 0 {
		return free
	}
	for _, m := range p.alive {
		if m.Ordinal < free[0] && !m.ready(p.now, 0) {
			return nil
		}
	}
	return free[:1]
}

// trust is how long a member of the current revision must have served before
// an older one may go for it: until it is proven, once others have failed.
func (p *planner) trust(m Member) time.Duration {
	switch {
	case p.plan.Status.Failures > 0:
		return max(p.minReady(), provenAfter)
	case p.minReady() == 0 && !m.Checked:
		return trustedAfter
	}
	return p.minReady()
}

// trustedCount is how many would serve if the roll went on.
func (p *planner) trustedCount() int {
	return len(p.pick(func(m Member) bool {
		if m.Revision != p.current {
			return m.ready(p.now, p.minReady())
		}
		return m.ready(p.now, p.trust(m))
	}))
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
	case s.Failures > 2:
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
