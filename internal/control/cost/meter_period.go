package cost

import (
	"slices"
	"time"
)

// Begin takes up the time since the last line: the lives that the store has,
// which all began before it, and perhaps another boot, machine or clock.
func (m *Meter) Begin(machine Machine, lives []Life, now Moment) []Line {
	var out []Line
	if m.period.ID > 0 {
		for _, l := range lives {
			if o := m.open[l.Instance]; o == nil && m.of(l.Instance).Ended < l.Number {
				o = m.begin(l, max(m.period.up(l.Started), m.period.Up))
				m.seen = max(m.seen, o.since)
			}
		}
		out = append(out, m.stopAll(func(o *open) bool { return !o.Volume && !running(lives, o) })...)
	}
	switch {
	case m.period.ID == 0 || !m.period.End.IsZero():
		out = append(out, m.turn(machine, now))
	case m.period.Boot != now.Boot:
		// Nothing outlives a boot. When it ended nobody saw.
		out = append(out, m.stopAll(func(*open) bool { return true })...)
		out = append(out, m.endPeriod(m.seen), m.turn(machine, now))
	case m.period.Machine != machine:
		out = append(out, m.renew(machine, now)...)
	default:
		out = append(out, m.look(now)...)
	}
	m.Tally = Tally{}
	return out
}

// turn begins a period.
func (m *Meter) turn(machine Machine, now Moment) Line {
	m.period = Period{ID: m.period.ID + 1, Boot: now.Boot, Up: now.Up, Start: now.Wall.UTC().Round(0), Machine: machine}
	m.seen = now.Up
	p := m.period
	return Line{Period: &p}
}

// endPeriod ends the present one.
func (m *Meter) endPeriod(up time.Duration) Line {
	m.period.End = m.period.wall(up)
	p := m.period
	return Line{Period: &p}
}

// renew begins a period in which what goes on goes on.
func (m *Meter) renew(machine Machine, now Moment) []Line {
	m.accrue(now.Up)
	var out []Line
	all := m.ordered()
	for _, o := range all {
		out = append(out, m.close(o, now.Up, false, false)...)
	}
	out = append(out, m.endPeriod(now.Up), m.turn(machine, now))
	for _, o := range all {
		next := m.reopen(o, o.What, now.Up)
		out = append(out, next.line())
	}
	return out
}

// stopAll ends what no longer goes on when it was last known to.
func (m *Meter) stopAll(over func(*open) bool) []Line {
	var out []Line
	for _, o := range m.ordered() {
		if over(o) {
			out = append(out, m.close(o, m.seen, !o.Volume, false)...)
		}
	}
	return out
}

func running(lives []Life, o *open) bool {
	return slices.ContainsFunc(lives, func(l Life) bool { return l.Instance == o.Instance })
}
