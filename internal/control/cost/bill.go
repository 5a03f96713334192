package cost

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// By is the key under which a record is summed up.
type By func(Record) string

// ParseBy reads instance, project, group, type or label:KEY.
func ParseBy(s string) (By, error) {
	if key, ok := strings.CutPrefix(s, "label:"); ok && key != "" {
		return func(r Record) string { return r.Labels[key] }, nil
	}
	switch s {
	case "", "project":
		return func(r Record) string { return r.Project }, nil
	case "instance":
		return func(r Record) string { return r.Name }, nil
	case "group":
		return func(r Record) string { return r.Group }, nil
	case "type":
		return func(r Record) string { return r.Type }, nil
	}
	return nil, api.Invalid("by", "cannot sum up by %q", s).WithHint("use project, instance, group, type or label:KEY")
}

const gib = 1 << 30

// Report is what the records cost in [from, to) at list prices, the dearest
// first, and where the machine's own price went in that time: to workloads by
// what was promised to them, to idle capacity, and to what is kept for the
// system. The three add up to the whole. Promises beyond what is there
// (over-commit) share it in proportion. Records and periods have ended at to.
func Report(records []Record, periods []Period, by By, from, to time.Time) (api.CostReport, error) {
	if first := begins(periods); first.After(from) && first.Before(to) {
		from = first // nothing is known of the time before
	}
	rep := api.CostReport{From: from, To: to, Lines: []api.CostLine{}}
	sums := map[string]*sum{}
	of := func(r Record) *sum {
		key := by(r)
		s := sums[key]
		if s == nil {
			s = &sum{CostLine: api.CostLine{Key: key}, who: map[string]bool{}}
			sums[key] = s
		}
		return s
	}
	for _, r := range records {
		billed, ran := r.within(from, to)
		surplus := r.surplus(from, to)
		if billed == 0 && ran == 0 && surplus == 0 {
			continue
		}
		s, h := of(r), billed.Hours()
		s.count(r)
		s.Cost += h*r.Price + surplus
		s.Surplus += surplus
		if r.Volume {
			s.Storage += h * r.Price
			s.StoredGiBHours += h * float64(r.Stored) / gib
			continue
		}
		s.Seconds += billed.Seconds()
		s.VCPUHours += h * r.VCPUs
		s.GiBHours += h * float64(r.Memory) / gib
	}
	for _, p := range periods {
		if rep.Currency != "" && overlap(p.Start, p.End, from, to) > 0 && p.Rates.Currency != rep.Currency {
			return rep, api.Invalid("from", "prices were in %s before %s and are in %s since", rep.Currency, p.Start.Format(time.RFC3339), p.Rates.Currency).
				WithHint("ask for the time before it, or after it")
		}
		rep.Currency, rep.Rates = p.Rates.Currency, p.Rates
		s := splitPeriod(records, p, from, to)
		rep.Machine += s.machine
		rep.Overhead += s.overhead
		for i, v := range s.of {
			rep.Workload += v
			of(records[i]).Machine += v
		}
	}
	rep.Idle = rep.Machine - rep.Workload - rep.Overhead
	if math.Abs(rep.Idle) < 1e-9*rep.Machine {
		rep.Idle = 0
	}
	for _, s := range sums {
		s.Instances += len(s.who)
		rep.Total += s.Cost
		rep.Lines = append(rep.Lines, s.CostLine)
	}
	slices.SortFunc(rep.Lines, func(a, b api.CostLine) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Key, b.Key)) })
	return rep, nil
}

// begins is when the first of the periods does; zero without any.
func begins(periods []Period) (t time.Time) {
	for i, p := range periods {
		if i == 0 || p.Start.Before(t) {
			t = p.Start
		}
	}
	return t
}

type sum struct {
	api.CostLine
	who map[string]bool // instances and volumes
}

func (s *sum) count(r Record) {
	if r.Instance == "" {
		s.Instances += r.Runs
		return
	}
	s.who[r.Instance] = true
}

// split is where one period's price went.
type split struct {
	machine, overhead float64
	of                map[int]float64 // by the index of the record
}

// share is the part of the machine's price that goes to promises of that much,
// and by what each vCPU and each byte of them counts, at most 1.
func (m Machine) share(vcpus, memory float64) (used, perVCPU, perByte float64) {
	part := func(promised, has float64) float64 {
		if promised <= max(has, 0) {
			return 1
		}
		return max(has, 0) / promised
	}
	perVCPU = part(vcpus, m.Physical.VCPUs-m.Reserved.VCPUs)
	perByte = part(memory, float64(m.Physical.Memory-m.Reserved.Memory))
	return m.worth(vcpus*perVCPU, memory*perByte), perVCPU, perByte
}

// edge is a moment at which what runs changes.
type edge struct {
	at            time.Time
	vcpus, memory float64
	// cpu and mem are for how many hours until then a vCPU and a byte counted.
	cpu, mem float64
}

func splitPeriod(records []Record, p Period, from, to time.Time) split {
	if p.Start.After(from) {
		from = p.Start
	}
	if p.End.Before(to) {
		to = p.End
	}
	hours := to.Sub(from).Hours()
	if hours <= 0 {
		return split{}
	}
	s := split{
		machine: p.Hour() * hours, overhead: hours * p.worth(p.Reserved.VCPUs, float64(p.Reserved.Memory)),
		of: map[int]float64{},
	}
	type part struct {
		i          int
		start, end time.Time
	}
	var parts []part
	edges := []edge{{at: from}, {at: to}}
	for i, r := range records {
		if r.Period != p.ID || r.Volume || overlap(r.Start, r.End, from, to) == 0 {
			continue
		}
		a, b := r.Start, r.End
		if a.Before(from) {
			a = from
		}
		if b.After(to) {
			b = to
		}
		d := r.density()
		edges = append(edges, edge{at: a, vcpus: d * r.VCPUs, memory: d * float64(r.Memory)},
			edge{at: b, vcpus: -d * r.VCPUs, memory: -d * float64(r.Memory)})
		parts = append(parts, part{i, a, b})
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	vcpus, memory := 0.0, 0.0
	for i := range edges {
		e := &edges[i]
		if i > 0 {
			dt := e.at.Sub(edges[i-1].at).Hours()
			_, cpu, mem := p.share(max(vcpus, 0), max(memory, 0))
			e.cpu, e.mem = edges[i-1].cpu+cpu*dt, edges[i-1].mem+mem*dt
		}
		vcpus += e.vcpus
		memory += e.memory
	}
	find := func(t time.Time) edge {
		return edges[sort.Search(len(edges), func(i int) bool { return !edges[i].at.Before(t) })]
	}
	for _, x := range parts {
		a, b, r := find(x.start), find(x.end), records[x.i]
		d := r.density()
		s.of[x.i] += p.worth(d*r.VCPUs*(b.cpu-a.cpu), d*float64(r.Memory)*(b.mem-a.mem))
	}
	return s
}
