package group

import (
	"fmt"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

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

// hold stops a roll when too many of the current revision failed in a row: the
// older ones stay, until the user resumes, returns or gives another template.
func (p *planner) hold() {
	s := &p.plan.Status
	if limit := p.spec.Update.Hold; limit > 0 && s.Failures >= limit && !p.spec.Paused && len(p.older()) > 0 {
		s.Held = p.current
	}
	if p.held() {
		s.Reason = fmt.Sprintf("the roll to revision %d is held after failures in a row", p.current)
	}
}

// held reports whether the roll to the current revision is held.
func (p *planner) held() bool { return p.plan.Status.Held != 0 && p.plan.Status.Held == p.current }

// older are the living members of older revisions.
func (p *planner) older() []Member {
	return p.pick(func(m Member) bool { return m.Revision != p.current })
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

// roll removes members of older revisions as far as the floor allows, those
// that do not serve first.
func (p *planner) roll(leaving int) {
	old := p.older()
	if len(old) == 0 || p.held() {
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

// policy is how g's current revision is rolled out: one that the group had
// before as the policy of returns says, where there is one.
func policy(g api.Group) api.UpdatePolicy {
	r := g.Spec.Update.Return
	if r == nil || !Returning(&g) {
		return g.Spec.Update
	}
	return api.UpdatePolicy{MaxSurge: r.MaxSurge, MaxUnavailable: r.MaxUnavailable, MinReady: r.MinReady, Hold: r.Hold}
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
