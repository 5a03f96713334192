package group

import (
	"fmt"
	"slices"
)

// scaleIn removes what is beyond desired, once no older revision is left to
// take the place of.
func (p *planner) scaleIn() {
	excess := len(p.alive) - p.spec.Desired
	if excess <= 0 {
		return
	}
	if len(p.older()) > 0 {
		excess -= p.surge()
	}
	order := p.pick(func(m Member) bool { return !m.Protected })
	p.leaveFirst(order, excess)
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
	if p.spec.Paused || p.held() {
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
