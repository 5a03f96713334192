package spot

import (
	"cmp"
	"math"
	"slices"
)

// greedySteps is how many victims are chosen one by one, each as the best
// answer to what is still short; more are taken in the order of their worth.
const greedySteps = 8

// greedy is a set, of indices, that covers need, not always the best.
func greedy(all []Candidate, need Room) (set []int, ok bool) {
	left := need
	for range greedySteps {
		m := measureOf(left)
		if m.parts == 0 {
			return set, true
		}
		best, most := 0, 0.0
		for i := range all {
			if covers := m.share(&all[i]); covers > most && !slices.Contains(set, i) {
				best, most = i, covers
			}
		}
		if most == 0 {
			return nil, false
		}
		set = append(set, best)
		left = left.Minus(all[best].Room)
	}
	return inOrder(all, set, left)
}

// inOrder adds to set what covers left, the candidates that give most of it
// first.
func inOrder(all []Candidate, set []int, left Room) ([]int, bool) {
	m := measureOf(left)
	if m.parts == 0 {
		return set, true
	}
	// One number of each, its share above its index, sorts several times as fast
	// as both.
	order := make([]uint64, 0, len(all))
	for i := range all {
		if share := m.share(&all[i]); share > 0 && !slices.Contains(set, i) {
			order = append(order, uint64(math.Float32bits(float32(share)))<<32|uint64(^uint32(i)))
		}
	}
	slices.Sort(order)
	for _, key := range slices.Backward(order) {
		index := int(^uint32(key))
		c := &all[index]
		if m.share(c) == 0 {
			continue // what it gives is there already
		}
		set = append(set, index)
		left = left.Minus(c.Room)
		if m = measureOf(left); m.parts == 0 {
			return set, true
		}
	}
	return nil, false
}

// needed leaves those out of a set that it covers need without, the dearest
// first: a later choice may have made an earlier one superfluous.
func needed(all []Candidate, set []int, need Room) []int {
	slices.SortFunc(set, func(a, b int) int {
		return cmp.Or(cmp.Compare(all[b].Price, all[a].Price), cmp.Compare(all[a].ID, all[b].ID))
	})
	var have Room
	for _, i := range set {
		have = have.Plus(all[i].Room)
	}
	return slices.DeleteFunc(set, func(i int) bool {
		rest := have.Minus(all[i].Room)
		if !rest.Covers(need) {
			return false
		}
		have = rest
		return true
	})
}

// bestSingle is the best of those that are enough alone, of which there is one
// at least.
func bestSingle(all []Candidate, m *measure) int {
	best := -1
	for i := range all {
		if c := &all[i]; m.covered(c) && (best < 0 || loss{}.plus(c).less(loss{}.plus(&all[best]))) {
			best = i
		}
	}
	return best
}

// useful are all that give anything of what is short.
func useful(all []Candidate, m *measure) (list []int) {
	for i := range all {
		if m.share(&all[i]) > 0 {
			list = append(list, i)
		}
	}
	return list
}

// podium keeps those that are worth most.
type podium struct {
	worth [8]float64
	index [8]int
	n     int
}

func (p *podium) offer(worth float64, index int) {
	if worth <= 0 || p.n == len(p.worth) && worth <= p.worth[p.n-1] {
		return
	}
	at := min(p.n, len(p.worth)-1)
	p.n = at + 1
	for ; at > 0 && p.worth[at-1] < worth; at-- {
		p.worth[at], p.index[at] = p.worth[at-1], p.index[at-1]
	}
	p.worth[at], p.index[at] = worth, index
}

// shortlist keeps the candidates that are the best in one respect each: in a
// part that is short, in all of them together, and in these for their price.
func shortlist(all []Candidate, m *measure) (list []int) {
	var parts [4]podium
	var shares, cheap podium
	for i := range all {
		c := &all[i]
		for k := range m.parts {
			parts[k].offer(float64(c.Room[m.which[k]&3]), i)
		}
		share := m.share(c)
		shares.offer(share, i)
		cheap.offer(share/(c.Price+grain), i)
	}
	for _, p := range append(parts[:m.parts:m.parts], shares, cheap) {
		list = append(list, p.index[:p.n]...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
