package cost

import (
	"maps"
	"slices"
)

// Snapshot is everything that is known at this moment: a ledger that begins
// with it needs no earlier one.
func (m *Meter) Snapshot() []Line {
	p := m.period
	out := []Line{{Period: &p}}
	for _, id := range slices.Sorted(maps.Keys(m.known)) {
		k := *m.known[id]
		out = append(out, Line{Known: &k})
	}
	for _, o := range m.ordered() {
		out = append(out, o.line())
	}
	up := m.seen
	return append(out, Line{Seen: &up})
}

// Going are the records that go on, as if they ended now, and the period.
func (m *Meter) Going(now Moment) ([]Record, Period) {
	var out []Record
	for _, o := range m.ordered() {
		r := o.Record
		r.End = m.period.wall(max(now.Up, o.since))
		out = append(out, r)
	}
	p := m.period
	p.End = p.wall(now.Up)
	return out, p
}

// Spent is what an instance has cost so far, and its price per hour while it
// runs.
func (m *Meter) Spent(instance string, now Moment) (spent, rate float64) {
	if k := m.known[instance]; k != nil {
		spent = k.Spent
	}
	if o := m.open[instance]; o != nil {
		r := o.Record
		r.End = m.period.wall(max(now.Up, o.since))
		return spent + r.Cost(), r.Price
	}
	return spent, 0
}

// Now is what goes on under that id.
func (m *Meter) Now(id string) (What, bool) {
	if o := m.open[id]; o != nil {
		return o.What, true
	}
	return What{}, false
}

// Price is the machine and its rates at present.
func (m *Meter) Price() Machine { return m.period.Machine }
