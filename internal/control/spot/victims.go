package spot

import (
	"cmp"
	"slices"
	"time"
)

// Room is an amount of what instances hold: thousandths of a vCPU, and bytes.
type Room struct{ MilliCPUs, Memory int64 }

func (r Room) covers(need Room) bool { return r.MilliCPUs >= need.MilliCPUs && r.Memory >= need.Memory }

func (r Room) plus(o Room) Room { return Room{r.MilliCPUs + o.MilliCPUs, r.Memory + o.Memory} }

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
	if (Room{}).covers(need) {
		return nil, true
	}
	first, ok := greedy(all, need)
	if !ok {
		return nil, false
	}
	s := &search{need: need, best: first, budget: -1}
	useful := all
	if len(all) > exactUpTo {
		if len(first) == 1 {
			return cheapestSingle(all, need), true
		}
		useful = shortlist(all, need)
		s.budget = 3_000
	}
	useful = slices.DeleteFunc(slices.Clone(useful), func(c Candidate) bool { return share(&c, need) == 0 })
	// Large ones first find small sets early.
	slices.SortFunc(useful, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(share(&b, need), share(&a, need)), cmp.Compare(a.Price, b.Price), cmp.Compare(a.ID, b.ID))
	})
	s.from(useful, nil, Room{})
	slices.SortFunc(s.best, func(a, b Candidate) int { return cmp.Compare(a.ID, b.ID) })
	return s.best, true
}

// share is how much of need c covers, each part counted at most once.
func share(c *Candidate, need Room) float64 {
	return part(c.Room.MilliCPUs, need.MilliCPUs) + part(c.Room.Memory, need.Memory)
}

func part(have, want int64) float64 {
	switch {
	case want <= 0:
		return 0
	case have >= want:
		return 1
	}
	return float64(have) / float64(want)
}

// greedy is a set that covers need, not always the best.
func greedy(all []Candidate, need Room) ([]Candidate, bool) {
	taken := map[int]bool{}
	var set []Candidate
	left := need
	for left.MilliCPUs > 0 || left.Memory > 0 {
		best, most := 0, 0.0
		for i := range all {
			if covers := share(&all[i], left); covers > most && !taken[i] {
				best, most = i, covers
			}
		}
		if most == 0 {
			return nil, false
		}
		c := all[best]
		taken[best] = true
		set = append(set, c)
		left = Room{left.MilliCPUs - c.Room.MilliCPUs, left.Memory - c.Room.Memory}
	}
	return set, true
}

func cheapestSingle(all []Candidate, need Room) []Candidate {
	var best []Candidate
	for _, c := range all {
		if c.Room.covers(need) && (best == nil || better([]Candidate{c}, best)) {
			best = []Candidate{c}
		}
	}
	return best
}

// shortlist keeps the candidates that are the best in one respect each.
func shortlist(all []Candidate, need Room) []Candidate {
	const each = 8
	keep := map[string]Candidate{}
	for _, worth := range []func(*Candidate) float64{
		func(c *Candidate) float64 { return float64(c.Room.MilliCPUs) },
		func(c *Candidate) float64 { return float64(c.Room.Memory) },
		func(c *Candidate) float64 { return share(c, need) },
		func(c *Candidate) float64 { return share(c, need) / (c.Price + 1e-9) },
	} {
		top := make([]Candidate, 0, each+1)
		for i := range all {
			c := &all[i]
			if len(top) == each && worth(c) <= worth(&top[each-1]) {
				continue
			}
			at, _ := slices.BinarySearchFunc(top, c, func(a Candidate, b *Candidate) int { return cmp.Compare(worth(b), worth(&a)) })
			top = slices.Insert(top, at, *c)
			top = top[:min(len(top), each)]
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
}

func (s *search) from(rest, set []Candidate, have Room) {
	if s.budget == 0 {
		return
	}
	if s.budget > 0 {
		s.budget--
	}
	if have.covers(s.need) {
		if better(set, s.best) {
			s.best = slices.Clone(set)
		}
		return
	}
	more := len(s.best) - len(set)
	if more <= 0 || len(rest) == 0 {
		return
	}
	if !have.plus(most(rest, more)).covers(s.need) {
		return
	}
	for i, c := range rest {
		s.from(rest[i+1:], append(set, c), have.plus(c.Room))
	}
}

// most bounds the room of any n of the candidates from above.
func most(rest []Candidate, n int) Room {
	if n >= len(rest) {
		var r Room
		for _, c := range rest {
			r = r.plus(c.Room)
		}
		return r
	}
	var cpus, memory int64
	for _, c := range rest {
		cpus, memory = max(cpus, c.Room.MilliCPUs), max(memory, c.Room.Memory)
	}
	return Room{cpus * int64(n), memory * int64(n)}
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
