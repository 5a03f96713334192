package cost

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
)

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

func TestBill(t *testing.T) {
	by, err := ParseBy("project")
	if err != nil {
		t.Fatal(err)
	}
	records := []Record{
		{Name: "a", Project: "p", VCPUs: 2, Memory: gib, Price: 1, Start: day, End: day.Add(30 * time.Minute)},
		{Name: "b", Project: "p", VCPUs: 1, Memory: gib, Price: 3.6, Start: day.Add(time.Hour), End: day.Add(time.Hour + time.Second)}, // the minimum
		{Name: "c", Project: "q", VCPUs: 1, Memory: gib, Price: 1, Start: day.Add(-time.Hour), Surplus: 120},                           // runs on
		{Name: "d", Project: "q", Price: 1, Start: day.Add(-2 * time.Hour), End: day.Add(-time.Hour)},                                  // before
	}
	rates := DefaultRates()
	lines := Bill(records, by, rates, day, day.Add(24*time.Hour), day.Add(2*time.Hour))
	if len(lines) != 2 || lines[0].Key != "q" || !near(lines[0].Cost, 2+0.1) || !near(lines[0].Surplus, 0.1) {
		t.Errorf("q: %+v", lines)
	}
	if !near(lines[1].Cost, 0.5+0.06) || !near(lines[1].Seconds, 1860) || !near(lines[1].VCPUHours, 1+1.0/60) {
		t.Errorf("p: %+v", lines[1])
	}
}

func TestResumedRunPaysNoSecondMinimum(t *testing.T) {
	by, _ := ParseBy("")
	r := []Record{
		{Name: "a", Price: 3600, Start: day, End: day.Add(90 * time.Second)},
		{Name: "a", Price: 3600, Start: day.Add(90 * time.Second), End: day.Add(100 * time.Second), Resumed: true},
	}
	if got := Bill(r, by, DefaultRates(), day, day.Add(time.Hour), day.Add(time.Hour))[0].Cost; !near(got, 100) {
		t.Errorf("cost %v, want 100", got)
	}
}

func records(t *rapid.T) []Record {
	all := make([]Record, rapid.IntRange(0, 12).Draw(t, "n"))
	for i := range all {
		start := day.Add(time.Duration(rapid.Int64Range(-7200, 90000).Draw(t, "start")) * time.Second)
		all[i] = Record{
			Name: strconv.Itoa(i % 4), VCPUs: float64(rapid.IntRange(1, 40).Draw(t, "vcpus")) / 10, Memory: rapid.Int64Range(1, 8).Draw(t, "memory") * gib / 2,
			Price: float64(rapid.IntRange(0, 100).Draw(t, "price")) / 100, Start: start,
		}
		if rapid.Bool().Draw(t, "ended") {
			all[i].End = start.Add(time.Duration(rapid.Int64Range(0, 40000).Draw(t, "length")) * time.Second)
		}
	}
	return all
}

// Workload, idle and overhead are the whole price of the machine, whatever ran.
func TestSplitAddsUp(t *testing.T) {
	m := Machine{Physical: api.Amount{VCPUs: 4, Memory: 16 * gib}, Reserved: api.Amount{VCPUs: .5, Memory: gib}}
	rapid.Check(t, func(t *rapid.T) {
		machine, workload, idle, overhead := Split(records(t), m, DefaultRates(), day, day.Add(24*time.Hour), day.Add(20*time.Hour))
		if math.Abs(workload+idle+overhead-machine) > machine*1e-9 || workload < -1e-9 || idle < -1e-9 {
			t.Fatalf("%v + %v + %v is not %v", workload, idle, overhead, machine)
		}
	})
}

// The bills of two halves are the bill of the whole.
func TestBillIsAdditive(t *testing.T) {
	by, _ := ParseBy("")
	rapid.Check(t, func(t *rapid.T) {
		all := records(t)
		now := day.Add(48 * time.Hour)
		mid := day.Add(time.Duration(rapid.Int64Range(0, 86400).Draw(t, "mid")) * time.Second)
		sum := func(from, to time.Time) (total float64) {
			for _, l := range Bill(all, by, DefaultRates(), from, to, now) {
				total += l.Cost
			}
			return total
		}
		if a, b := sum(day, mid)+sum(mid, day.Add(24*time.Hour)), sum(day, day.Add(24*time.Hour)); math.Abs(a-b) > 1e-6 {
			t.Fatalf("halves cost %v, the whole %v", a, b)
		}
	})
}

func TestFOCUS(t *testing.T) {
	var b bytes.Buffer
	err := WriteFOCUS(&b, []Record{{Instance: "i", Name: "a", Project: "p", Type: "burst.nano", Spot: true, Labels: map[string]string{"k": "v"},
		Price: .01, Start: day, End: day.Add(time.Hour), Surplus: 60}}, "n1", DefaultRates(), day, day.Add(24*time.Hour), day.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows[1:] {
		cell := map[string]string{}
		for i, name := range rows[0] {
			cell[name] = row[i]
		}
		list, _ := strconv.ParseFloat(cell["ListCost"], 64)
		unit, _ := strconv.ParseFloat(cell["ListUnitPrice"], 64)
		quantity, _ := strconv.ParseFloat(cell["PricingQuantity"], 64)
		if !near(list, unit*quantity) || cell["PricingCategory"] != "Dynamic" || cell["Tags"] != `{"k":"v"}` {
			t.Errorf("row %v", cell)
		}
	}
}
