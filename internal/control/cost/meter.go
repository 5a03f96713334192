package cost

import (
	"maps"
	"slices"
	"time"
)

// Life is a life of an instance as the store has it.
type Life struct {
	What
	Number  int // of the life
	Stay    int // number of the start that was asked for
	Started time.Time
}

// Meter turns what happens into records. It is a value of its lines and does
// no I/O: every call returns the lines to be written, in their order. A line
// that is written twice, because its writer was killed before what caused it
// was stored, is made only once. It is not safe for concurrent use.
type Meter struct {
	period Period
	seen   time.Duration // since the boot; the newest moment known of
	before time.Duration // what seen was before the last look
	open   map[string]*open
	known  map[string]*Known
	Tally
}

// open is a record that goes on. Its Start is on the period's axis.
type open struct {
	Record
	since   time.Duration // uptime at Start
	written bool          // as it is
}

// Tally is where the machine's price went since the meter was made.
type Tally struct{ Machine, Workload, Idle, Overhead float64 }

// NewMeter makes a meter that has read no line yet.
func NewMeter() *Meter { return &Meter{open: map[string]*open{}, known: map[string]*Known{}} }

// Load reads a line that was written before.
func (m *Meter) Load(l Line) {
	switch {
	case l.Period != nil:
		if l.Period.ID != m.period.ID {
			m.seen = l.Period.Up // of another boot, perhaps
		}
		m.period = *l.Period
	case l.Open != nil:
		r := *l.Open
		o := &open{Record: r, since: m.period.up(r.Start), written: true}
		m.open[r.Instance] = o
		m.seen = max(m.seen, o.since)
	case l.Run != nil:
		m.learn(*l.Run)
		if o := m.open[l.Run.Instance]; o != nil && o.Life == l.Run.Life && l.Run.Credits == 0 {
			delete(m.open, l.Run.Instance)
		}
		m.seen = max(m.seen, m.period.up(l.Run.End))
	case l.Known != nil:
		k := *l.Known
		m.known[k.Instance] = &k
	case l.Seen != nil:
		m.seen = max(m.seen, *l.Seen)
	}
}

// learn takes note of a record that has ended.
func (m *Meter) learn(r Record) {
	k := m.of(r.Instance)
	k.Spent += r.Cost()
	if r.Credits > 0 {
		k.Charged = r.Total
		return
	}
	if r.Volume {
		return
	}
	if k.Stay != r.Stay {
		k.Stay, k.Ran = r.Stay, r.Age
	}
	k.Ran += r.length()
	k.Life, k.Until, k.Period = r.Life, r.End, r.Period
	if r.Ended {
		k.Ended = max(k.Ended, r.Life)
	}
}

func (m *Meter) of(instance string) *Known {
	k := m.known[instance]
	if k == nil {
		k = &Known{Instance: instance}
		m.known[instance] = k
	}
	return k
}

// tolerance is how far the clock may be from where it should be: it is steered
// a little all the time.
const tolerance = 2 * time.Second

// look takes note of the time. A clock that was set ends the period.
func (m *Meter) look(now Moment) []Line {
	m.before = max(m.seen, m.period.Up)
	if off := now.Wall.Round(0).Sub(m.period.wall(now.Up)); off.Abs() > tolerance {
		return m.renew(m.period.Machine, now)
	}
	m.accrue(now.Up)
	return nil
}

// Look takes note of the time.
func (m *Meter) Look(now Moment) []Line { return m.look(now) }

// accrue adds the time until up to the tally.
func (m *Meter) accrue(up time.Duration) {
	dt := up - m.seen
	if dt <= 0 {
		return
	}
	m.seen = up
	vcpus, memory := 0.0, 0.0
	for _, o := range m.open {
		vcpus += o.VCPUs
		memory += float64(o.Memory)
	}
	p := m.period.Machine
	used, _, _ := p.share(vcpus, memory)
	h, kept := dt.Hours(), p.worth(p.Reserved.VCPUs, float64(p.Reserved.Memory))
	m.Tally.Machine += p.Hour() * h
	m.Workload += used * h
	m.Overhead += kept * h
	m.Idle += (p.Hour() - used - kept) * h
}

// begin opens a life's first record.
func (m *Meter) begin(l Life, since time.Duration) *open {
	k := m.of(l.Instance)
	age := time.Duration(0)
	if k.Stay == l.Stay {
		age = k.Ran
	}
	if k.Life == l.Number && k.Period == m.period.ID { // a line was torn off
		since = max(since, m.period.up(k.Until))
	}
	o := &open{since: since, Record: Record{
		What: l.What, Period: m.period.ID, Life: l.Number, Stay: l.Stay, Start: m.period.wall(since), Age: age,
	}}
	m.open[l.Instance] = o
	return o
}

// reopen goes on from o, which was closed at since.
func (m *Meter) reopen(o *open, w What, since time.Duration) *open {
	next := &open{since: since, Record: Record{
		What: w, Period: m.period.ID, Life: o.Life, Stay: o.Stay, Start: m.period.wall(since), Age: o.Age + o.length(),
	}}
	m.open[w.Instance] = next
	return next
}

func (o *open) line() Line {
	o.written = true
	r := o.Record
	return Line{Open: &r}
}

// close ends a record. One without length is not worth a line, unless a life
// ends with it.
func (m *Meter) close(o *open, up time.Duration, ended, last bool) []Line {
	delete(m.open, o.Instance)
	o.End = m.period.wall(max(up, o.since))
	o.Ended, o.Last = ended, last
	if o.length() == 0 && !ended && !o.written {
		return nil
	}
	r := o.Record
	m.learn(r)
	return []Line{{Run: &r}}
}

// at is the uptime at which t was. It is never in the future, and when the
// clock was just found to have been set, it is after the look before.
func (m *Meter) at(t time.Time, now Moment) time.Duration {
	ago := max(now.Wall.Round(0).Sub(t.Round(0)), 0)
	return max(now.Up-ago, min(m.before, m.period.Up))
}

func (m *Meter) ordered() []*open {
	out := make([]*open, 0, len(m.open))
	for _, id := range slices.Sorted(maps.Keys(m.open)) {
		out = append(out, m.open[id])
	}
	return out
}
