package cost

import (
	"maps"
	"slices"
	"time"
)

// Line is one entry of a ledger: exactly one of its fields is set. What a
// ledger knows is what its lines say, in their order: a meter that reads them
// goes on where the one that wrote them ended, wherever that was.
type Line struct {
	Period *Period        `json:"period,omitempty"` // begins, or has ended
	Open   *Record        `json:"open,omitempty"`   // began and goes on
	Run    *Record        `json:"run,omitempty"`    // has ended
	Known  *Known         `json:"known,omitempty"`
	Seen   *time.Duration `json:"seenNs,omitempty"` // since the boot; the node was alive
}

// Valid reports whether a line that was read can have been written: exactly
// one thing, with numbers that can be added up.
func (l Line) Valid() bool {
	n := 0
	for _, set := range []bool{l.Period != nil, l.Open != nil, l.Run != nil, l.Known != nil, l.Seen != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return false
	}
	for _, r := range []*Record{l.Open, l.Run} {
		if r != nil && (r.VCPUs < 0 || r.Memory < 0 || r.Stored < 0 || r.Ran < 0 || r.Billed < 0 || r.Age < 0 || r.Credits < 0 || r.Fee < 0 || r.Price < 0) {
			return false
		}
	}
	return l.Run == nil || !l.Run.End.Before(l.Run.Start)
}

// Known is what has to be remembered of an instance beyond its records.
type Known struct {
	Instance string        `json:"instance"`
	Ended    int           `json:"ended,omitempty"` // newest life whose end is recorded
	Stay     int           `json:"stay,omitempty"`
	Ran      time.Duration `json:"ranNs,omitempty"` // of that stay, in records that have ended
	Life     int           `json:"life,omitempty"`  // of the newest record that has ended
	Until    time.Time     `json:"until,omitzero"`  // when that was, in Period
	Period   int64         `json:"period,omitempty"`
	Charged  float64       `json:"charged,omitempty"`
	Spent    float64       `json:"spent,omitempty"` // price of all records that have ended
}

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

func (m *Meter) ordered() []*open {
	out := make([]*open, 0, len(m.open))
	for _, id := range slices.Sorted(maps.Keys(m.open)) {
		out = append(out, m.open[id])
	}
	return out
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
