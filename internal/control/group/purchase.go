package group

import "math"

// onDemand is how many of n members are on-demand: the base, and the per cent
// of the others, rounded up, as EC2 does.
func (p *planner) onDemand(n int) int {
	mix := p.spec.Purchase
	if p.spec.Template.Spot == nil || mix == nil {
		return 0
	}
	base := min(mix.OnDemandBase, n)
	return base + int(math.Ceil(float64(n-base)*float64(mix.OnDemandPercent)/100))
}

// nextOnDemand reports whether the next member is to be on-demand.
func (p *planner) nextOnDemand() bool {
	have := len(p.pick(func(m Member) bool { return !m.Spot && m.Revision == p.current }))
	for _, c := range p.plan.Create {
		have += btoi(c.OnDemand)
	}
	return have < p.onDemand(p.spec.Desired)
}
