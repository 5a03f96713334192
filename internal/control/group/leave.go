package group

import "slices"

// leaveFirst orders members by who goes first when the group has some too many:
// those that do not serve; those of an older revision, the oldest first; those
// of the node that has most of the group; those of the purchase option there is
// too much of; and then by their age, the newest first unless the group says
// otherwise. Only the first n are asked for. A stateful group loses its last
// ordinals.
func (p *planner) leaveFirst(members []Member, n int) {
	if p.spec.Stateful {
		slices.SortStableFunc(members, func(a, b Member) int { return b.Ordinal - a.Ordinal })
		return
	}
	if p.spec.ScaleIn != "oldest" {
		slices.Reverse(members) // they came oldest first
	}
	l := p.leaver()
	slices.SortStableFunc(members, l.compare)
	if !l.moves {
		return
	}
	// Each that goes changes what there is too much of.
	for i := range min(n, len(members)) {
		rest := members[i:]
		best := 0
		for k := range rest {
			if l.compare(rest[k], rest[best]) < 0 {
				best = k
			}
		}
		m := rest[best]
		copy(rest[1:best+1], rest[:best])
		rest[0] = m
		l.gone(m)
	}
}

// leaver compares members by what the group has of each kind.
type leaver struct {
	*planner
	perNode         map[string]int
	onDemand, spots int
	// moves says that who goes first depends on who went before.
	moves bool
}

func (p *planner) leaver() *leaver {
	l := &leaver{planner: p, perNode: map[string]int{}}
	for _, m := range p.alive {
		l.count(m, 1)
	}
	l.moves = len(l.perNode) > 1 || l.onDemand > 0 && l.spots > 0
	return l
}

// gone takes note that m goes.
func (l *leaver) gone(m Member) { l.count(m, -1) }

func (l *leaver) count(m Member, n int) {
	l.perNode[m.Node] += n
	if m.Spot {
		l.spots += n
	} else {
		l.onDemand += n
	}
}

func (l *leaver) compare(a, b Member) int {
	if d := btoi(a.ready(l.now, 0)) - btoi(b.ready(l.now, 0)); d != 0 {
		return d
	}
	if d := l.rank(a) - l.rank(b); d != 0 {
		return d
	}
	if d := l.perNode[b.Node] - l.perNode[a.Node]; d != 0 {
		return d
	}
	if d := l.surplus(a) - l.surplus(b); d != 0 {
		return d
	}
	if l.spec.ScaleIn == "oldest" {
		return a.Created.Compare(b.Created)
	}
	return b.Created.Compare(a.Created)
}

// rank is the place of a member's revision: the current one is the last.
func (l *leaver) rank(m Member) int { return slices.Index(l.revisions, m.Revision) }

// surplus ranks a member whose purchase option there is too much of before the
// others.
func (l *leaver) surplus(m Member) int {
	if l.spec.Template.Spot == nil || l.spec.Purchase == nil {
		return 0
	}
	return btoi(m.Spot == (l.onDemand > l.planned()))
}

// planned is how many of the desired members are to be on-demand.
func (l *leaver) planned() int { return l.planner.onDemand(l.spec.Desired) }
