package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

// promote puts up to n warm members of the current revision into service, those
// that serve soonest first: frozen, running, starting, never started. It
// returns how many.
func (p *planner) promote(n int) int {
	rank := func(m Member) int {
		switch {
		case m.Phase == api.PhasePaused:
			return 0
		case m.Phase == api.PhaseRunning:
			return 1
		case m.Desired != api.DesiredStopped:
			return 2
		}
		return 3
	}
	ready := slices.DeleteFunc(slices.Clone(p.warm), func(m Member) bool { return m.Revision != p.current })
	slices.SortStableFunc(ready, func(a, b Member) int { return rank(a) - rank(b) })
	ready = ready[:max(0, min(n, len(ready)))]
	for _, m := range ready {
		p.plan.Promote = append(p.plan.Promote, m.ID)
		p.warm = slices.DeleteFunc(p.warm, func(o Member) bool { return o.ID == m.ID })
		m.Warm = false
		p.alive = append(p.alive, m)
	}
	return len(ready)
}

// keepWarm keeps as many members prepared as the group's warm pool asks for.
// They do not count as the group's instances.
func (p *planner) keepWarm() {
	pool := p.spec.Warm
	if pool == nil || p.spec.Paused {
		pool = &api.WarmPool{Size: map[bool]int{true: len(p.warm)}[p.spec.Paused]}
	}
	asked := map[bool]api.WarmState{true: api.WarmStopped, false: api.WarmPaused}
	fits := func(m Member) bool {
		return m.Revision == p.current && asked[m.Desired == api.DesiredStopped] == orStopped(pool.State)
	}
	kept := p.warm[:0:0]
	for _, m := range p.warm {
		switch {
		case p.spec.Paused || fits(m) && len(kept) < pool.Size:
			kept = append(kept, m)
		case m.Revision != p.current:
			p.remove(m, fmt.Sprintf("revision %d replaces %d", p.current, m.Revision))
		default:
			p.remove(m, fmt.Sprintf("the warm pool has %d %s", pool.Size, orStopped(pool.State)))
		}
	}
	p.warm = kept
	for _, m := range p.warm {
		p.freeze(m)
	}
	missing := pool.Size - len(p.warm)
	switch {
	case missing <= 0:
		return
	case p.now.Before(p.plan.Status.NextTry):
		p.wake(p.plan.Status.NextTry)
		return
	case p.plan.Status.Failures > 0:
		// A template that does not work is tried by those that are to serve.
		if len(p.alive) > 0 || len(p.plan.Create) > 0 {
			return
		}
		missing = 1
	}
	for i := range missing {
		p.plan.Create = append(p.plan.Create, Creation{
			Revision: p.current, Warm: orStopped(pool.State), Reason: fmt.Sprintf("warm, %d of %d", len(p.warm)+i+1, pool.Size),
		})
	}
}

// freeze pauses a warm member when it is ready, and counts it when it waits.
func (p *planner) freeze(m Member) {
	if m.Phase == api.PhasePaused || m.Desired == api.DesiredStopped {
		p.plan.Status.Warm++
		return
	}
	trust := max(p.minReady(), map[bool]time.Duration{false: trustedAfter}[m.Checked])
	switch {
	case m.Desired == api.DesiredPaused: // it is about to be
	case m.ready(p.now, trust):
		p.plan.Freeze = append(p.plan.Freeze, m.ID)
	case m.Phase == api.PhaseRunning:
		p.wake(m.Started.Add(trust))
	}
}

func orStopped(s api.WarmState) api.WarmState {
	if s == "" {
		return api.WarmStopped
	}
	return s
}
