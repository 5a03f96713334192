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
// search looks at those that can matter most and takes at most searchSteps.
const (
	exactUpTo   = 20
	searchSteps = 3_000
)

// Victims is the smallest set of candidates whose room covers need: the fewest
// instances; of those sets the one that loses the least price; of those the
// one whose instances are the youngest in sum, since they have the least to
// lose. ok is false when all together are not enough.
func Victims(all []Candidate, need Room) (victims []Candidate, ok bool) {
	m := measureOf(need)
	if m.parts == 0 {
		return nil, true
	}
	first, ok := greedy(all, need)
	if !ok {
		return nil, false
	}
	first = needed(all, first, need)
	var best []int
	switch {
	case len(all) <= exactUpTo:
		best = newSearch(all, useful(all, &m), need, -1).over(first)
	case len(first) == 1:
		best = []int{bestSingle(all, &m)}
	default:
		best = newSearch(all, shortlist(all, &m), need, searchSteps).over(first)
	}
	for _, i := range best {
		victims = append(victims, all[i])
	}
	slices.SortFunc(victims, func(a, b Candidate) int { return cmp.Compare(a.ID, b.ID) })
	return victims, true
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
		if have := c.Room[m.which[k]&3]; have >= m.want[k] {
			sum++
		} else {
			sum += float64(have) * m.inverse[k]
		}
	}
	return sum
}

// covered reports whether c alone is enough.
func (m *measure) covered(c *Candidate) bool {
	for k := range m.parts {
		if c.Room[m.which[k]&3] < m.want[k] {
			return false
		}
	}
	return true
}

// loss is what a set of victims costs.
type loss struct {
	count   int
	price   float64
	started int64 // Unix seconds in sum: more is younger
}

func (l loss) plus(c *Candidate) loss {
	return loss{l.count + 1, l.price + c.Price, l.started + c.Started.Unix()}
}

func lossOf(all []Candidate, set []int) (l loss) {
	for _, i := range set {
		l = l.plus(&all[i])
	}
	return l
}

// grain is what sums of prices in another order may differ by.
const grain = 1e-9

// less reports whether l is to be preferred to o.
func (l loss) less(o loss) bool {
	switch {
	case l.count != o.count:
		return l.count < o.count
	case l.price < o.price-grain || l.price > o.price+grain:
		return l.price < o.price
	}
	return l.started > o.started
}
