package spot

import (
	"cmp"
	"slices"
)

// search looks for the best set depth first. It cuts what cannot cover the
// need with fewer instances than the best set so far, or with as many for less.
type search struct {
	all    []Candidate
	need   Room
	budget int // steps left; negative is without bound

	list []int  // the indices that are searched, those that give most first
	sums []Room // of the candidates from each on
	tops []Room // the most of each part among them
	set  []int  // on the way

	best []int
	cost loss // of best
}

func newSearch(all []Candidate, list []int, need Room, budget int) *search {
	s := &search{all: all, need: need, budget: budget, list: list}
	// Large ones first find small sets early.
	m := measureOf(need)
	slices.SortFunc(list, func(a, b int) int {
		return cmp.Or(cmp.Compare(m.share(&all[b]), m.share(&all[a])), cmp.Compare(all[a].Price, all[b].Price), cmp.Compare(all[a].ID, all[b].ID))
	})
	s.sums, s.tops = make([]Room, len(list)+1), make([]Room, len(list)+1)
	for i := len(list) - 1; i >= 0; i-- {
		room := all[list[i]].Room
		s.sums[i] = s.sums[i+1].Plus(room)
		for k, v := range room {
			s.tops[i][k] = max(s.tops[i+1][k], v)
		}
	}
	return s
}

// over is the best set, at least as good as first.
func (s *search) over(first []int) []int {
	s.best, s.cost = first, lossOf(s.all, first)
	s.set = make([]int, 0, len(s.list))
	s.from(0, loss{}, Room{})
	return s.best
}

// from goes on with the candidates from the i-th on, from a set with that loss
// and that room.
func (s *search) from(i int, l loss, have Room) {
	if s.budget == 0 {
		return
	}
	s.budget--
	if have.Covers(s.need) {
		if l.less(s.cost) {
			s.best, s.cost = slices.Clone(s.set), l
		}
		return
	}
	more := s.cost.count - l.count
	if more <= 0 {
		return
	}
	for ; i < len(s.list) && s.enough(i, more, have); i++ {
		c := &s.all[s.list[i]]
		next := l.plus(c)
		if next.count == s.cost.count && !next.less(s.cost) {
			continue // full, and no better
		}
		s.set = append(s.set, s.list[i])
		s.from(i+1, next, have.Plus(c.Room))
		s.set = s.set[:len(s.set)-1]
		more = s.cost.count - l.count
	}
}

// enough reports whether n of the candidates from the i-th on could make have
// cover the need: a bound from above.
func (s *search) enough(i, n int, have Room) bool {
	if n >= len(s.list)-i {
		return have.Plus(s.sums[i]).Covers(s.need)
	}
	for k, top := range s.tops[i] {
		if have[k]+top*int64(n) < s.need[k] {
			return false
		}
	}
	return true
}
