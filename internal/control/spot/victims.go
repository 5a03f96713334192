package spot

import (
	"cmp"
	"slices"
	"time"
)

// Candidate is a spot instance that may be reclaimed.
type Candidate struct {
	ID      string
	Room    Room
	Price   float64 // per hour, what is lost with it
	Started time.Time
}

// exactUpTo is how many candidates are searched completely; of more, the
// search looks at those that can matter most and is bounded.
const exactUpTo = 20

// Victims is the smallest set of candidates whose room covers need: the fewest
// instances; of those sets the one that loses the least price; of those the
// one whose instances are the youngest in sum, since they have the least to
// lose. ok is false when all together are not enough.
func Victims(all []Candidate, need Room) (victims []Candidate, ok bool) {
	if (Room{}).Covers(need) {
		return nil, true
	}
	first, ok := greedy(all, need)
	if !ok {
		return nil, false
	}
	first = needed(first, need)
	s := &search{need: need, best: first, budget: -1}
	useful, m := all, measureOf(need)
	if len(all) > exactUpTo {
		if len(first) == 1 {
			return cheapestSingle(all, need), true
		}
		useful = shortlist(all, m)
		s.budget = 3_000
	}
	useful = slices.DeleteFunc(slices.Clone(useful), func(c Candidate) bool { return m.share(&c) == 0 })
	// Large ones first find small sets early.
	slices.SortFunc(useful, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(m.share(&b), m.share(&a)), cmp.Compare(a.Price, b.Price), cmp.Compare(a.ID, b.ID))
	})
	s.over(useful)
	s.from(0, nil, Room{})
	slices.SortFunc(s.best, func(a, b Candidate) int { return cmp.Compare(a.ID, b.ID) })
	return s.best, true
}

// measure compares candidates with a need, of which it keeps the parts that
// are short.
type measure struct {
	parts   int
	which   [4]int
	want    [4]int64
	inverse [4]float64
}

func measureOf(need Room) (m measure) {
	for i, want := range need {
		if want > 0 {
			m.which[m.parts], m.want[m.parts], m.inverse[m.parts] = i, want, 1/float64(want)
			m.parts++
		}
	}
	return m
}

// share is how much of the need c covers, each part counted at most once.
func (m *measure) share(c *Candidate) (sum float64) {
	for k := range m.parts {
		if have := c.Room[m.which[k]]; have >= m.want[k] {
			sum++
		} else {
			sum += float64(have) * m.inverse[k]
		}
	}
	return sum
}

// greedy is a set that covers need, not always the best.
func greedy(all []Candidate, need Room) ([]Candidate, bool) {
	taken := map[int]bool{}
	var set []Candidate
	left := need
	for !(Room{}).Covers(left) {
		best, most := 0, 0.0
		m := measureOf(left)
		for i := range all {
			if covers := m.share(&all[i]); covers > most && !taken[i] {
				best, most = i, covers
			}
		}
		if most == 0 {
			return nil, false
		}
		c := all[best]
		taken[best] = true
		set = append(set, c)
		left = left.Minus(c.Room)
	}
	return set, true
}

// needed leaves those out of a set that it covers need without, the dearest
// first: a later choice may have made an earlier one superfluous.
func needed(set []Candidate, need Room) []Candidate {
	slices.SortFunc(set, func(a, b Candidate) int { return cmp.Or(cmp.Compare(b.Price, a.Price), cmp.Compare(a.ID, b.ID)) })
	var have Room
	for _, c := range set {
		have = have.Plus(c.Room)
	}
	return slices.DeleteFunc(set, func(c Candidate) bool {
		spare := have.Minus(c.Room).Covers(need)
		if spare {
			have = have.Minus(c.Room)
		}
		return spare
	})
}

func cheapestSingle(all []Candidate, need Room) []Candidate {
	var best []Candidate
	for _, c := range all {
		if c.Room.Covers(need) && (best == nil || better([]Candidate{c}, best)) {
			best = []Candidate{c}
		}
	}
	return best
}

// shortlist keeps the candidates that are the best in one respect each.
func shortlist(all []Candidate, m measure) []Candidate {
	const each = 8
	keep := map[string]Candidate{}
	for _, worth := range []func(*Candidate) float64{
		func(c *Candidate) float64 { return float64(c.Room[VCPUs]) },
		func(c *Candidate) float64 { return float64(c.Room[Baseline]) },
		func(c *Candidate) float64 { return float64(c.Room[Cores]) },
		func(c *Candidate) float64 { return float64(c.Room[Memory]) },
		m.share,
		func(c *Candidate) float64 { return m.share(c) / (c.Price + 1e-9) },
	} {
		top := make([]Candidate, 0, each+1)
		least := 0.0 // worth of the last of a full list
		for i := range all {
			c := &all[i]
			if len(top) == each && worth(c) <= least {
				continue
			}
			at, _ := slices.BinarySearchFunc(top, c, func(a Candidate, b *Candidate) int { return cmp.Compare(worth(b), worth(&a)) })
			top = slices.Insert(top, at, *c)
			top = top[:min(len(top), each)]
			least = worth(&top[len(top)-1])
		}
		for _, c := range top {
			keep[c.ID] = c
		}
	}
	// The greedy set is a way out when nothing better is found, and no larger
	// set than it is ever looked at.
	var list []Candidate
	for _, c := range keep {
		list = append(list, c)
	}
	return list
}

// search is a depth-first search with bounds.
type search struct {
	need   Room
	best   []Candidate
	budget int // steps left; negative is without bound

	list []Candidate
	sums []Room // of the candidates from each on
	tops []Room // the most of each part among them
}

// over sets what is searched.
func (s *search) over(list []Candidate) {
	s.list, s.sums, s.tops = list, make([]Room, len(list)+1), make([]Room, len(list)+1)
	for i := len(list) - 1; i >= 0; i-- {
		s.sums[i] = s.sums[i+1].Plus(list[i].Room)
		for k, v := range list[i].Room {
			s.tops[i][k] = max(s.tops[i+1][k], v)
		}
	}
}

// from goes on with the candidates from the i-th on.
func (s *search) from(i int, set []Candidate, have Room) {
	if s.budget == 0 {
		return
	}
	if s.budget > 0 {
		s.budget--
	}
	if have.Covers(s.need) {
		if better(set, s.best) {
			s.best = slices.Clone(set)
		}
		return
	}
	more := len(s.best) - len(set)
	if more <= 0 || i == len(s.list) || !have.Plus(s.most(i, more)).Covers(s.need) {
		return
	}
	for ; i < len(s.list); i++ {
		c := &s.list[i]
		s.from(i+1, append(set, *c), have.Plus(c.Room))
	}
}

// most bounds the room of any n of the candidates from the i-th on from above.
func (s *search) most(i, n int) Room {
	if n >= len(s.list)-i {
		return s.sums[i]
	}
	r := s.tops[i]
	for k := range r {
		r[k] *= int64(n)
	}
	return r
}

// better reports whether set a is to be preferred to b.
func better(a, b []Candidate) bool {
	price := func(s []Candidate) (sum float64) {
		for _, c := range s {
			sum += c.Price
		}
		return sum
	}
	started := func(s []Candidate) (sum int64) {
		for _, c := range s {
			sum += c.Started.Unix()
		}
		return sum
	}
	const cent = 1e-9 // sums in another order differ in the last bits
	pa, pb := price(a), price(b)
	switch {
	case len(a) != len(b):
		return len(a) < len(b)
	case pa < pb-cent || pa > pb+cent:
		return pa < pb
	}
	return started(a) > started(b)
}
