package cost

import "time"

// Runs takes note that a life runs, and of what it is now.
func (m *Meter) Runs(l Life, now Moment) []Line {
	out := m.look(now)
	o := m.open[l.Instance]
	switch {
	case m.of(l.Instance).Ended >= l.Number:
	case o == nil:
		m.begin(l, m.at(l.Started, now))
	case o.Life != l.Number: // its end was missed
		out = append(out, m.close(o, m.at(l.Started, now), true, o.Stay != l.Stay)...)
		m.begin(l, m.at(l.Started, now))
	case !o.same(l.What):
		out = append(out, m.close(o, now.Up, false, false)...)
		out = append(out, m.reopen(o, l.What, now.Up).line())
	}
	return out
}

// Ends takes note that a life has ended, before anybody else does. last says
// that none follows by itself.
func (m *Meter) Ends(l Life, at time.Time, last bool, now Moment) []Line {
	if m.of(l.Instance).Ended >= l.Number {
		return nil
	}
	out := m.look(now)
	o := m.open[l.Instance]
	if o != nil && o.Life != l.Number {
		out = append(out, m.close(o, m.at(l.Started, now), true, o.Stay != l.Stay)...)
		o = nil
	}
	if o == nil {
		o = m.begin(l, m.at(l.Started, now))
	}
	return append(out, m.close(o, m.at(at, now), true, last)...)
}

// Due is what an instance's account has been charged in all, in credits, less
// what records say already; false for nothing.
func (m *Meter) Due(w What, total float64, now Moment) (Record, bool) {
	due := total
	if k := m.known[w.Instance]; k != nil {
		due -= k.Charged
	}
	at := m.period.wall(now.Up)
	r := Record{What: w, Period: m.period.ID, Start: at, End: at, Credits: due, Fee: m.period.Rates.CreditFee, Total: total}
	return r, due >= 1e-9
}

// Charged records what is due.
func (m *Meter) Charged(w What, total float64, now Moment) []Line {
	out := m.look(now)
	r, ok := m.Due(w, total, now)
	if !ok {
		return out
	}
	m.learn(r)
	return append(out, Line{Run: &r})
}

// Holds takes note of the volumes that there are.
func (m *Meter) Holds(volumes []What, now Moment) []Line {
	out := m.look(now)
	there := map[string]bool{}
	for _, w := range volumes {
		there[w.Instance] = true
		o := m.open[w.Instance]
		switch {
		case o == nil:
			o = &open{since: now.Up, Record: Record{What: w, Period: m.period.ID, Start: m.period.wall(now.Up)}}
			m.open[w.Instance] = o
			out = append(out, o.line())
		case !o.same(w):
			out = append(out, m.close(o, now.Up, false, false)...)
			out = append(out, m.reopen(o, w, now.Up).line())
		}
	}
	for _, o := range m.ordered() {
		if o.Volume && !there[o.Instance] {
			out = append(out, m.close(o, now.Up, false, false)...)
			delete(m.known, o.Instance)
		}
	}
	return out
}

// Mark takes note that the node is alive, and writes what goes on and was not
// written yet: what a crash of the machine forgets is younger than the mark.
func (m *Meter) Mark(now Moment) []Line {
	out := m.look(now)
	for _, o := range m.ordered() {
		if !o.written {
			out = append(out, o.line())
		}
	}
	up := now.Up
	return append(out, Line{Seen: &up})
}

// Gone takes note that an instance is no more. What it cost stays.
func (m *Meter) Gone(instance string, now Moment) []Line {
	var out []Line
	if o := m.open[instance]; o != nil {
		out = append(m.look(now), m.close(m.open[instance], now.Up, true, true)...)
	}
	delete(m.known, instance)
	return out
}

// Prune forgets the instances of which there says that they are no more.
func (m *Meter) Prune(there func(instance string) bool) {
	for id := range m.known {
		if m.open[id] == nil && !there(id) {
			delete(m.known, id)
		}
	}
}
