package cost

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Charge is one row of an export: a quantity at a price, within one day.
type Charge struct {
	Start     time.Time         `json:"start"`
	End       time.Time         `json:"end"`
	Node      string            `json:"node"`
	Resource  string            `json:"resource"` // instance, volume or node
	ID        string            `json:"id"`       // "" for the sum of several
	Name      string            `json:"name"`
	Project   string            `json:"project"`
	Group     string            `json:"group"`
	Labels    map[string]string `json:"labels"`
	Type      string            `json:"type"`
	Purchase  string            `json:"purchase"` // on-demand or spot
	Meter     string            `json:"meter"`    // what is counted
	Unit      string            `json:"unit"`
	Quantity  float64           `json:"quantity"`
	UnitPrice float64           `json:"unitPrice"`
	Cost      float64           `json:"cost"`
	// Billed is Cost, but 0 for what nobody is sent a bill for: what is idle,
	// and what the system keeps.
	Billed   float64 `json:"billed"`
	Currency string  `json:"currency"`
}

// Meters of charges.
const (
	meterTime     = "Instance time"
	meterSurplus  = "CPU surplus credit"
	meterStorage  = "Volume storage"
	meterIdle     = "Idle capacity"
	meterOverhead = "System overhead"
)

const (
	purchaseOnDemand = "on-demand"
	purchaseSpot     = "spot"
)

// Charges lists what the records cost in [from, to), a row a day for each, and
// what of the machine was idle or kept for the system. Records and periods have
// ended at to. With a project it is only that one's, without the machine.
func Charges(records []Record, periods []Period, node, project string, from, to time.Time) []Charge {
	var out []Charge
	currency := map[int64]string{}
	for _, p := range periods {
		currency[p.ID] = p.Rates.Currency
	}
	for _, r := range records {
		if project != "" && r.Project != project {
			continue
		}
		for a, b := range days(r.Start, r.End, from, to) {
			for _, c := range r.charges(a, b) {
				c.Node, c.Currency = node, currency[r.Period]
				out = append(out, c)
			}
		}
	}
	if project == "" {
		for _, p := range periods {
			for a, b := range days(p.Start, p.End, from, to) {
				out = append(out, machineCharges(records, p, node, a, b)...)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Charge) int { return a.Start.Compare(b.Start) })
	return out
}

// days yields the days that a record of [start, end] has a part in, cut to
// [from, to).
func days(start, end, from, to time.Time) func(yield func(a, b time.Time) bool) {
	return func(yield func(a, b time.Time) bool) {
		if start.Before(from) {
			start = from
		}
		for !start.After(end) && start.Before(to) {
			next := start.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
			b := next
			if b.After(to) {
				b = to
			}
			if !yield(start, b) {
				return
			}
			start = next
		}
	}
}

// charges are those of a record in [from, to), which lies within a day.
func (r Record) charges(from, to time.Time) []Charge {
	var out []Charge
	base := Charge{
		Resource: "instance", ID: r.Instance, Name: r.Name, Project: r.Project, Group: r.Group, Labels: r.Labels,
		Type: r.Type, Purchase: purchaseOnDemand, Start: from, End: to,
	}
	if r.Spot {
		base.Purchase = purchaseSpot
	}
	if r.Start.After(from) {
		base.Start = r.Start
	}
	if r.End.Before(to) {
		base.End = r.End
	}
	add := func(meter, unit string, quantity, price float64) {
		c := base
		c.Meter, c.Unit, c.Quantity, c.UnitPrice = meter, unit, quantity, price
		c.Cost = quantity * price
		c.Billed = c.Cost
		if c.End.Sub(c.Start) < time.Second {
			c.End = c.Start.Add(time.Second)
		}
		out = append(out, c)
	}
	billed, _ := r.within(from, to)
	switch {
	case r.Volume && billed > 0 && r.Stored > 0:
		base.Resource = "volume"
		add(meterStorage, "GiB-Hours", billed.Hours()*float64(r.Stored)/gib, r.Price/(float64(r.Stored)/gib))
	case r.Volume:
	case billed > 0:
		if r.Runs == 0 && base.End.Sub(base.Start) < billed {
			base.End = base.Start.Add(billed) // the minimum
		}
		add(meterTime, "Hours", billed.Hours(), r.Price)
	}
	if r.surplus(from, to) > 0 {
		base.Start = from
		if hour := r.End.Truncate(time.Hour); hour.After(from) {
			base.Start = hour
		}
		base.End = r.End
		add(meterSurplus, "vCPU-Hours", r.Credits/60, r.Fee)
	}
	return out
}

// machineCharges are what a period's machine was idle and kept in [from, to).
func machineCharges(records []Record, p Period, node string, from, to time.Time) []Charge {
	s := splitPeriod(records, p, from, to)
	if s.machine == 0 {
		return nil
	}
	used := 0.0
	for _, v := range s.of {
		used += v
	}
	if p.Start.After(from) {
		from = p.Start
	}
	if p.End.Before(to) {
		to = p.End
	}
	hours := to.Sub(from).Hours()
	row := func(meter string, cost float64) Charge {
		cost = max(cost, 0)
		part := cost / s.machine * hours
		c := Charge{
			Start: from, End: to, Node: node, Resource: "node", ID: node, Name: node, Type: "machine", Purchase: purchaseOnDemand,
			Meter: meter, Unit: "Machine-Hours", Quantity: part, UnitPrice: p.Hour(), Cost: part * p.Hour(), Currency: p.Rates.Currency,
		}
		if c.End.Sub(c.Start) < time.Second {
			c.End = c.Start.Add(time.Second)
		}
		return c
	}
	return []Charge{row(meterIdle, s.machine-s.overhead-used), row(meterOverhead, s.overhead)}
}

// Formats of an export.
const (
	FormatFOCUS = "focus"
	FormatCSV   = "csv"
	FormatJSON  = "json"
)

// Write writes charges in a format.
func Write(w io.Writer, format string, charges []Charge) error {
	switch format {
	case FormatJSON:
		if charges == nil {
			charges = []Charge{}
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(charges)
	case FormatCSV:
		return table(w, plainColumns, charges)
	case FormatFOCUS:
		return table(w, focusColumns, charges)
	}
	return api.Invalid("format", "there is no format %q", format).WithHint("use focus, csv or json")
}

// column is one of a CSV file.
type column struct {
	name  string
	value func(Charge) string // "" for null
}

func table(w io.Writer, columns []column, charges []Charge) error {
	out := csv.NewWriter(w)
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, ch := range charges {
		for i, c := range columns {
			row[i] = c.value(ch)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

var plainColumns = []column{
	{"start", func(c Charge) string { return instant(c.Start) }},
	{"end", func(c Charge) string { return instant(c.End) }},
	{"node", func(c Charge) string { return c.Node }},
	{"project", func(c Charge) string { return c.Project }},
	{"group", func(c Charge) string { return c.Group }},
	{"resource", func(c Charge) string { return c.Resource }},
	{"id", func(c Charge) string { return c.ID }},
	{"name", func(c Charge) string { return c.Name }},
	{"type", func(c Charge) string { return c.Type }},
	{"purchase", func(c Charge) string { return c.Purchase }},
	{"meter", func(c Charge) string { return c.Meter }},
	{"quantity", func(c Charge) string { return number(c.Quantity) }},
	{"unit", func(c Charge) string { return c.Unit }},
	{"unitPrice", func(c Charge) string { return number(c.UnitPrice) }},
	{"cost", func(c Charge) string { return number(c.Cost) }},
	{"billed", func(c Charge) string { return number(c.Billed) }},
	{"currency", func(c Charge) string { return c.Currency }},
	{"labels", func(c Charge) string { return object(c.Labels) }},
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// object is a map as JSON.
func object(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "{}" // a map of strings can be encoded
	}
	return string(b)
}
