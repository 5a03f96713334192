package cost

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
)

var (
	day     = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	rates   = api.Rates{Currency: "USD", VCPUHour: 0.031611, GiBHour: 0.004237, CreditFee: 0.05}
	machine = Machine{Physical: api.Amount{VCPUs: 4, Memory: 16 * gib}, Reserved: api.Amount{VCPUs: .5, Memory: gib}, Rates: rates}
	whole   = Period{ID: 1, Start: day.Add(-240 * time.Hour), End: day.Add(240 * time.Hour), Machine: machine}
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

func report(t testing.TB, records []Record, periods []Period, by string, from, to time.Time) api.CostReport {
	f, err := ParseBy(by)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Report(records, periods, f, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReport(t *testing.T) {
	records := []Record{
		{What: What{Instance: "1", Project: "p", VCPUs: 2, Memory: gib, Price: 1}, Period: 1, Start: day, End: day.Add(30 * time.Minute), Last: true},
		{What: What{Instance: "2", Project: "p", VCPUs: 1, Memory: gib, Price: 3.6}, Period: 1, Start: day.Add(time.Hour), End: day.Add(time.Hour + time.Second), Last: true}, // the minimum
		{What: What{Instance: "3", Project: "q", VCPUs: 1, Memory: gib, Price: 1}, Period: 1, Start: day.Add(-time.Hour), End: day.Add(2 * time.Hour)},                        // runs on
		{What: What{Instance: "3", Project: "q"}, Period: 1, Start: day.Add(time.Hour), End: day.Add(time.Hour), Credits: 120, Fee: .05},
		{What: What{Instance: "4", Project: "q", Price: 1}, Period: 1, Start: day.Add(-2 * time.Hour), End: day.Add(-time.Hour)}, // before
	}
	r := report(t, records, []Period{whole}, "project", day, day.Add(24*time.Hour))
	if len(r.Lines) != 2 || r.Lines[0].Key != "q" || !near(r.Lines[0].Cost, 2+0.1) || !near(r.Lines[0].Surplus, 0.1) || r.Lines[0].Instances != 1 {
		t.Errorf("q: %+v", r.Lines)
	}
	if p := r.Lines[1]; !near(p.Cost, 0.5+0.06) || !near(p.Seconds, 1860) || !near(p.VCPUHours, 1+1.0/60) {
		t.Errorf("p: %+v", p)
	}
	// What was promised, not the minimum, is the machine's.
	if want := machine.list(2, gib)/2 + machine.list(1, gib)/3600; !near(r.Lines[1].Machine, want) {
		t.Errorf("p has %v of the machine, want %v", r.Lines[1].Machine, want)
	}
	if want := 24 * machine.list(4, 16*gib); !near(r.Machine, want) || !near(r.Overhead, 24*machine.list(.5, gib)) {
		t.Errorf("the machine costs %v (want %v), its overhead %v", r.Machine, want, r.Overhead)
	}
}

func TestStaysPayOneMinimum(t *testing.T) {
	m, up := NewMeter(), time.Duration(0)
	at := func(d time.Duration) Moment { return Moment{"b", up + d, day.Add(d)} }
	lines := m.Begin(machine, nil, at(0))
	w := What{Instance: "a", Project: "p", Price: 3600}
	life := func(n, stay int, started time.Duration) Life {
		return Life{What: w, Number: n, Stay: stay, Started: day.Add(started)}
	}
	s := time.Second
	lines = append(lines, m.Ends(life(1, 1, 0), day.Add(10*s), false, at(10*s))...)      // crashes and is restarted
	lines = append(lines, m.Ends(life(2, 1, 20*s), day.Add(50*s), true, at(50*s))...)    // and stops: 40 s in all
	lines = append(lines, m.Ends(life(3, 2, 100*s), day.Add(200*s), true, at(200*s))...) // started again
	resized := life(4, 3, 300*s)
	lines = append(lines, m.Runs(resized, at(300*s))...)
	resized.Price = 7200
	lines = append(lines, m.Runs(resized, at(310*s))...)
	lines = append(lines, m.Ends(resized, day.Add(320*s), true, at(320*s))...) // 20 s in all
	if again := m.Ends(resized, day.Add(320*s), true, at(321*s)); again != nil {
		t.Errorf("the end was recorded twice: %+v", again)
	}
	r := report(t, runs(lines), []Period{whole}, "instance", day, day.Add(time.Hour))
	if want := 60.0 + 100 + 10 + 50*2; !near(r.Total, want) {
		t.Errorf("cost %v, want %v", r.Total, want)
	}
}

// runs are the records of lines that have ended.
func runs(lines []Line) (out []Record) {
	for _, l := range lines {
		if l.Run != nil {
			out = append(out, *l.Run)
		}
	}
	return out
}

func drawRecords(t *rapid.T) []Record {
	all := make([]Record, rapid.IntRange(0, 12).Draw(t, "n"))
	for i := range all {
		start := day.Add(time.Duration(rapid.Int64Range(-7200, 90000).Draw(t, "start")) * time.Second)
		all[i] = Record{
			What: What{
				Instance: strconv.Itoa(i % 4), Name: strconv.Itoa(i % 4), VCPUs: float64(rapid.IntRange(0, 40).Draw(t, "vcpus")) / 10,
				Memory: rapid.Int64Range(0, 8).Draw(t, "memory") * gib / 2, Price: float64(rapid.IntRange(0, 100).Draw(t, "price")) / 100,
			},
			Period: 1, Start: start, Last: rapid.Bool().Draw(t, "last"),
			End: start.Add(time.Duration(rapid.Int64Range(0, 40000).Draw(t, "length")) * time.Second),
		}
	}
	return all
}

// Workload, idle and overhead are the whole price of the machine, whatever ran,
// and so are the machine's parts of the lines with the other two.
func TestReportAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, err := Report(drawRecords(t), []Period{whole}, func(r Record) string { return r.Name }, day, day.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0.0
		for _, l := range r.Lines {
			lines += l.Machine
		}
		if math.Abs(r.Workload+r.Idle+r.Overhead-r.Machine) > r.Machine*1e-9 || math.Abs(lines-r.Workload) > 1e-9 || r.Workload < 0 || r.Idle < 0 {
			t.Fatalf("%v + %v + %v is not %v, or %v in lines", r.Workload, r.Idle, r.Overhead, r.Machine, lines)
		}
	})
}

// The bills of two halves are the bill of the whole, and so are an export's
// rows and the sums that short records are folded to.
func TestBillsAreAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawRecords(t)
		from, to := day.Add(-3*time.Hour), day.Add(72*time.Hour)
		mid := day.Add(time.Duration(rapid.Int64Range(0, 86400).Draw(t, "mid")) * time.Second)
		sum := func(records []Record, from, to time.Time) (total, workload float64) {
			r, err := Report(records, []Period{whole}, func(r Record) string { return r.Name }, from, to)
			if err != nil {
				t.Fatal(err)
			}
			return r.Total, r.Workload
		}
		whole, workload := sum(all, from, to)
		a, wa := sum(all, from, mid)
		b, wb := sum(all, mid, to)
		if math.Abs(a+b-whole) > 1e-6 || math.Abs(wa+wb-workload) > 1e-6 {
			t.Fatalf("halves cost %v, the whole %v; workload %v and %v", a+b, whole, wa+wb, workload)
		}
		rows := 0.0
		for _, c := range Charges(all, []Period{}, "n", "", from, to) {
			rows += c.Billed
		}
		if math.Abs(rows-whole) > 1e-6 {
			t.Fatalf("rows cost %v, the whole %v", rows, whole)
		}
		var lines []Line
		for _, r := range all {
			lines = append(lines, Line{Run: &r})
		}
		if folded, _ := sum(runs(Fold(lines)), from, to); math.Abs(folded-whole) > 1e-6 {
			t.Fatalf("folded it costs %v, whole %v", folded, whole)
		}
	})
}

func TestFoldIsBounded(t *testing.T) {
	var lines []Line
	for i := range 5000 {
		start := day.Add(time.Duration(i) * 700 * time.Millisecond)
		lines = append(lines, Line{Run: &Record{
			What: What{Instance: strconv.Itoa(i), Project: "p", Type: "shared.nano", Price: .01}, Period: 1, Start: start, End: start.Add(time.Second), Last: true,
		}})
	}
	folded := Fold(lines)
	if len(folded) > 2*foldKeep {
		t.Errorf("%d lines", len(folded))
	}
	n, cost := 0, 0.0
	for _, r := range runs(folded) {
		n += r.Runs
		cost += r.Cost()
	}
	if n != 5000 || !near(cost, 5000.0/60*.01) {
		t.Errorf("%d runs, %v", n, cost)
	}
}

// world is a node whose daemon is killed, whose clock is set and which is
// rebooted, with the truth about it.
type world struct {
	boot    int
	up      time.Duration
	offset  time.Duration // of the clock
	meter   *Meter        // nil: the daemon is dead
	written []Line
	machine Machine

	lives map[string]*Life // what the store says runs
	runs  map[string]time.Duration
}

func (w *world) now() Moment {
	return Moment{strconv.Itoa(w.boot), w.up, day.Add(time.Duration(w.boot)*1000*time.Hour + w.up + w.offset)}
}

func (w *world) write(lines []Line) {
	for _, l := range lines { // as the file has them
		b, err := json.Marshal(l)
		if err != nil {
			panic(err)
		}
		var back Line
		if err := json.Unmarshal(b, &back); err != nil {
			panic(err)
		}
		w.written = append(w.written, back)
	}
}

func (w *world) pass(d time.Duration) {
	w.up += d
	for id := range w.lives {
		w.runs[id] += d
	}
}

func (w *world) start() {
	w.meter = NewMeter()
	for _, l := range w.written {
		w.meter.Load(l)
	}
	var lives []Life
	for _, l := range w.lives {
		lives = append(lives, *l)
	}
	w.write(w.meter.Begin(w.machine, lives, w.now()))
	for _, l := range lives {
		w.write(w.meter.Runs(l, w.now()))
	}
}

// Over any schedule of starts, stops, resizes, kills of the daemon, steps of
// the clock by an hour and reboots: every second that ran while the clock of
// the machine can tell is in the records once, and workload, idle and overhead
// are the price of the time that the machine was on.
func TestNoSecondIsLostOrDoubled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{boot: 1, up: time.Hour, machine: machine, lives: map[string]*Life{}, runs: map[string]time.Duration{}}
		begun := w.up
		w.start()
		next := 0
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			w.pass(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "dt")))
			ids := slices.Sorted(func(yield func(string) bool) {
				for id := range w.lives {
					if !yield(id) {
						return
					}
				}
			})
			event := rapid.SampledFrom([]string{"start", "start", "stop", "short", "resize", "kill", "daemon", "step", "mark", "rotate", "price"}).Draw(t, "event")
			switch {
			case event == "daemon":
				if w.meter == nil {
					w.start()
				}
			case event == "step":
				w.offset += time.Duration(rapid.SampledFrom([]int{-1, 1}).Draw(t, "way")) * time.Hour
			case event == "kill":
				w.meter = nil
			case w.meter == nil: // nothing else happens without a daemon
			case event == "start" || event == "short":
				next++
				id := "i" + strconv.Itoa(next)
				l := &Life{What: What{Instance: id, Name: id, VCPUs: .5, Memory: gib, Price: 3600}, Number: 1, Stay: 1, Started: w.now().Wall}
				w.lives[id], w.runs[id] = l, 0
				if event == "start" {
					w.write(w.meter.Runs(*l, w.now()))
					break
				}
				// Nobody looks before it ends, and its end is told twice.
				w.pass(time.Second)
				w.write(w.meter.Ends(*l, w.now().Wall, true, w.now()))
				w.write(w.meter.Ends(*l, w.now().Wall, true, w.now()))
				delete(w.lives, id)
			case event == "stop" && len(ids) > 0:
				id := rapid.SampledFrom(ids).Draw(t, "which")
				l := w.lives[id]
				w.write(w.meter.Ends(*l, w.now().Wall, true, w.now()))
				if rapid.Bool().Draw(t, "killed before that is stored") {
					w.start()
					w.write(w.meter.Ends(*l, w.now().Wall, true, w.now()))
				}
				delete(w.lives, id)
			case event == "resize" && len(ids) > 0:
				l := w.lives[rapid.SampledFrom(ids).Draw(t, "which")]
				l.VCPUs += .1
				w.write(w.meter.Runs(*l, w.now()))
			case event == "mark":
				w.write(w.meter.Mark(w.now()))
			case event == "rotate":
				w.written = append(runLines(w.written), nil...)
				w.write(w.meter.Snapshot())
			case event == "price":
				w.machine.Rates.VCPUHour += .01
				w.start()
			}
		}
		if w.meter == nil {
			w.start()
		}
		w.write(w.meter.Mark(w.now()))
		going, present := w.meter.Going(w.now())
		got := map[string]time.Duration{}
		records := append(runs(w.written), going...)
		for _, r := range records {
			got[r.Instance] += r.length()
		}
		for id, want := range w.runs {
			if d := got[id] - want; d.Abs() > time.Millisecond {
				t.Fatalf("%s ran %s, the records say %s", id, want, got[id])
			}
		}
		periods := map[int64]Period{}
		for _, l := range w.written {
			if l.Period != nil {
				periods[l.Period.ID] = *l.Period
			}
		}
		periods[present.ID] = present
		var list []Period
		var on time.Duration
		for _, p := range periods {
			list = append(list, p)
			on += p.End.Sub(p.Start)
		}
		if d := on - (w.up - begun); d.Abs() > time.Millisecond {
			t.Fatalf("the machine was on for %s, the periods say %s", w.up-begun, on)
		}
		r, err := Report(records, list, func(r Record) string { return r.Name }, day.Add(-1e6*time.Hour), day.Add(1e6*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.Workload+r.Idle+r.Overhead-r.Machine) > 1e-4*r.Machine || r.Idle < -1e-9 || r.Workload < 0 {
			t.Fatalf("%v + %v + %v is not %v", r.Workload, r.Idle, r.Overhead, r.Machine)
		}
		seconds := 0.0
		for _, v := range w.runs {
			seconds += math.Max(v.Seconds(), 0)
		}
		if r.Total < seconds-.01*float64(len(w.runs)) || r.Total > seconds+60*float64(len(w.runs)) {
			t.Fatalf("%v seconds at 1 each cost %v", seconds, r.Total)
		}
	})
}

// runLines are what a rotated file keeps for reports.
func runLines(lines []Line) (out []Line) {
	for _, l := range lines {
		if l.Run != nil || l.Period != nil {
			out = append(out, l)
		}
	}
	return out
}

// A machine that goes down is billed until it was last known to be alive, and
// what ran then is not billed after it.
func TestRebootEndsEverything(t *testing.T) {
	w := &world{boot: 1, up: time.Hour, machine: machine, lives: map[string]*Life{}, runs: map[string]time.Duration{}}
	w.start()
	l := &Life{What: What{Instance: "a", Name: "a", VCPUs: 1, Memory: gib, Price: 3600}, Number: 1, Stay: 1, Started: w.now().Wall}
	w.lives["a"] = l
	w.write(w.meter.Runs(*l, w.now()))
	w.pass(10 * time.Minute)
	w.write(w.meter.Mark(w.now()))
	w.pass(30 * time.Second) // and the plug is pulled
	w.boot, w.up, w.meter = 2, time.Minute, nil
	w.start()
	w.write(w.meter.Ends(*l, w.now().Wall, false, w.now()))
	if got := runs(w.written); len(got) != 1 || got[0].length() != 10*time.Minute || !got[0].Ended {
		t.Errorf("records %+v", got)
	}
	// Its next life, of the same start, runs in the new boot.
	next := *l
	next.Number, next.Started = 2, w.now().Wall
	w.write(w.meter.Runs(next, w.now()))
	w.pass(5 * time.Minute)
	if going, p := w.meter.Going(w.now()); len(going) != 1 || going[0].length() != 5*time.Minute || p.ID != 2 {
		t.Errorf("goes on: %+v in %+v", going, p)
	}
}

func TestSurplusIsChargedOnce(t *testing.T) {
	w := &world{boot: 1, up: time.Hour, machine: machine, lives: map[string]*Life{}, runs: map[string]time.Duration{}}
	w.start()
	what := What{Instance: "a", Name: "a"}
	w.write(w.meter.Charged(what, 10, w.now()))
	w.start()
	w.write(w.meter.Charged(what, 10, w.now()))
	w.pass(time.Hour)
	w.write(w.meter.Charged(what, 25, w.now()))
	w.write(w.meter.Charged(what, 20, w.now())) // an account that was restored from earlier
	total := 0.0
	for _, r := range runs(w.written) {
		total += r.Cost()
	}
	if !near(total, 25.0/60*.05) {
		t.Errorf("charged %v", total)
	}
	if spent, _ := w.meter.Spent("a", w.now()); !near(spent, total) {
		t.Errorf("spent %v", spent)
	}
}

func TestVolumes(t *testing.T) {
	w := &world{boot: 1, up: time.Hour, machine: machine, lives: map[string]*Life{}, runs: map[string]time.Duration{}}
	w.start()
	v := What{Volume: true, Instance: "v", Name: "data", Project: "p", Type: "volume", Stored: 2 * gib, Price: 1}
	w.write(w.meter.Holds([]What{v}, w.now()))
	w.pass(time.Hour)
	v.Stored, v.Price = 4*gib, 2
	w.write(w.meter.Holds([]What{v}, w.now()))
	w.pass(time.Hour)
	w.start()
	w.write(w.meter.Holds(nil, w.now()))
	r := report(t, runs(w.written), []Period{{ID: 1, Start: day, End: day.Add(9000 * time.Hour), Machine: machine}}, "project", day, day.Add(9000*time.Hour))
	if len(r.Lines) != 1 || !near(r.Total, 3) || !near(r.Lines[0].Storage, 3) || !near(r.Lines[0].StoredGiBHours, 6) || r.Workload != 0 {
		t.Errorf("%+v", r)
	}
}

func TestCurrencyIsNotMixed(t *testing.T) {
	euro := whole
	euro.ID, euro.Rates.Currency = 2, "EUR"
	_, err := Report(nil, []Period{whole, euro}, func(Record) string { return "" }, day, day.Add(time.Hour))
	if api.CodeOf(err) != api.CodeInvalid || !strings.Contains(err.Error(), "USD") {
		t.Errorf("%v", err)
	}
}

// mandatory are the columns that every data set of FOCUS 1.2 has, with their
// types and whether they may be null.
var mandatory = map[string]struct {
	kind string
	null bool
}{
	"BilledCost": {"decimal", false}, "BillingAccountId": {"string", false}, "BillingAccountName": {"string", true},
	"BillingCurrency": {"currency", false}, "BillingPeriodEnd": {"time", false}, "BillingPeriodStart": {"time", false},
	"ChargeCategory": {"Usage|Purchase|Tax|Credit|Adjustment", false}, "ChargeClass": {"Correction", true},
	"ChargeDescription": {"string", true}, "ChargePeriodEnd": {"time", false}, "ChargePeriodStart": {"time", false},
	"ContractedCost": {"decimal", false}, "EffectiveCost": {"decimal", false}, "InvoiceIssuerName": {"string", false},
	"ListCost": {"decimal", false}, "PricingQuantity": {"decimal", false}, "PricingUnit": {"string", false},
	"ProviderName": {"string", false}, "PublisherName": {"string", false},
	"ServiceCategory": {"Compute|Storage", false}, "ServiceName": {"string", false},
}

func TestFOCUS(t *testing.T) {
	records := []Record{
		{What: What{Instance: "i", Name: "a", Project: "p", Group: "g", Type: "burst.nano", Spot: true, Labels: map[string]string{"k": "v"}, VCPUs: .1, Memory: gib, Price: .01},
			Period: 1, Start: day.Add(-time.Hour), End: day.Add(time.Hour)},
		{What: What{Instance: "i", Name: "a", Project: "p", Type: "burst.nano"}, Period: 1, Start: day.Add(time.Hour), End: day.Add(time.Hour), Credits: 60, Fee: .05},
		{What: What{Instance: "v", Volume: true, Name: "data", Project: "p", Type: "volume", Stored: gib, Price: .001}, Period: 1, Start: day, End: day.Add(time.Hour)},
	}
	from, to := day.Add(-2*time.Hour), day.Add(2*time.Hour)
	var b bytes.Buffer
	if err := Write(&b, FormatFOCUS, Charges(records, []Period{whole}, "n1", "", from, to)); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+2+1+1+4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if !slices.IsSorted(rows[0]) {
		t.Error("the columns are not in the order of the specification")
	}
	sums := map[string]float64{}
	for _, row := range rows[1:] {
		cell := map[string]string{}
		for i, name := range rows[0] {
			cell[name] = row[i]
		}
		for name, m := range mandatory {
			v, there := cell[name]
			if !there {
				t.Fatalf("there is no column %s", name)
			}
			if v == "" && !m.null {
				t.Errorf("%s is null in %v", name, cell)
			}
			if v != "" && !isA(m.kind, v) {
				t.Errorf("%s %q is no %s", name, v, m.kind)
			}
		}
		decimal := func(name string) float64 { v, _ := strconv.ParseFloat(cell[name], 64); return v }
		if !near(decimal("ListCost"), decimal("ListUnitPrice")*decimal("PricingQuantity")) ||
			!near(decimal("ContractedCost"), decimal("ContractedUnitPrice")*decimal("PricingQuantity")) {
			t.Errorf("price times quantity is not the cost: %v", cell)
		}
		if cell["ChargePeriodStart"] < cell["BillingPeriodStart"] || cell["ChargePeriodEnd"] > cell["BillingPeriodEnd"] || cell["ChargePeriodEnd"] <= cell["ChargePeriodStart"] {
			t.Errorf("the charge's period %s to %s", cell["ChargePeriodStart"], cell["ChargePeriodEnd"])
		}
		var tags map[string]string
		if json.Unmarshal([]byte(cell["Tags"]), &tags) != nil {
			t.Errorf("tags %q", cell["Tags"])
		}
		if cell["SkuMeter"] == meterTime && (cell["PricingCategory"] != "Dynamic" || tags["k"] != "v" || tags["virga/group"] != "g" || cell["SubAccountId"] != "p") {
			t.Errorf("the run: %v", cell)
		}
		sums["billed"] += decimal("BilledCost")
		sums[cell["SkuMeter"]] += decimal("EffectiveCost")
	}
	r := report(t, records, []Period{whole}, "", from, to)
	if !near(sums["billed"], r.Total) || !near(sums[meterIdle], r.Idle) || !near(sums[meterOverhead], r.Overhead) {
		t.Errorf("the rows say %v, the report %+v", sums, r)
	}
}

// isA checks a value against one of FOCUS's types, or a list of what it may be.
func isA(kind, v string) bool {
	switch kind {
	case "string":
		return true
	case "decimal":
		f, err := strconv.ParseFloat(v, 64)
		return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !strings.ContainsAny(v, "eE")
	case "time":
		_, err := time.Parse("2006-01-02T15:04:05Z", v)
		return err == nil
	case "currency":
		return len(v) == 3 && strings.ToUpper(v) == v
	}
	return slices.Contains(strings.Split(kind, "|"), v)
}

func TestFormats(t *testing.T) {
	for _, f := range []string{FormatCSV, FormatFOCUS, FormatJSON} {
		var b bytes.Buffer
		if err := Write(&b, f, nil); err != nil || b.Len() == 0 {
			t.Errorf("%s: %q, %v", f, b.String(), err)
		}
	}
	if err := Write(&bytes.Buffer{}, "xml", nil); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("xml: %v", err)
	}
}
