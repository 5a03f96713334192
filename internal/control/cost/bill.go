package cost

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// DefaultRates are those of the OpenCost specification, and EC2's fee for
// surplus credits.
func DefaultRates() api.Rates {
	return api.Rates{Currency: "USD", VCPUHour: 0.031611, GiBHour: 0.004237, CreditFee: 0.05}
}

// By is the key under which a record is summed up.
type By func(Record) string

// ParseBy reads instance, project, group, type or label:KEY.
func ParseBy(s string) (By, error) {
	if key, ok := strings.CutPrefix(s, "label:"); ok && key != "" {
		return func(r Record) string { return r.Labels[key] }, nil
	}
	switch s {
	case "", "instance":
		return func(r Record) string { return r.Name }, nil
	case "project":
		return func(r Record) string { return r.Project }, nil
	case "group":
		return func(r Record) string { return r.Group }, nil
	case "type":
		return func(r Record) string { return r.Type }, nil
	}
	return nil, api.Invalid("by", "cannot sum up by %q", s).WithHint("use instance, project, group, type or label:KEY")
}

const gib = 1 << 30

// Bill is what the runs cost in [from, to) at list prices, the dearest first.
func Bill(records []Record, by By, rates api.Rates, from, to, now time.Time) []api.CostLine {
	sums := map[string]*api.CostLine{}
	for _, r := range records {
		billed, _ := r.within(from, to, now)
		surplus := r.surplusCost(rates, from, to, now)
		if billed == 0 && surplus == 0 {
			continue
		}
		key := by(r)
		l := sums[key]
		if l == nil {
			l = &api.CostLine{Key: key}
			sums[key] = l
		}
		h := billed.Hours()
		l.Seconds += billed.Seconds()
		l.VCPUHours += h * r.VCPUs
		l.GiBHours += h * float64(r.Memory) / gib
		l.Surplus += surplus
		l.Cost += h*r.Price + surplus
	}
	lines := make([]api.CostLine, 0, len(sums))
	for _, l := range sums {
		lines = append(lines, *l)
	}
	slices.SortFunc(lines, func(a, b api.CostLine) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Key, b.Key)) })
	return lines
}

// Machine is what a node has and keeps for itself.
type Machine struct{ Physical, Reserved api.Amount }

// Split says where the machine's own price went in [from, to): to workloads by
// what was promised to them, to idle capacity, and to what the system keeps.
// The three add up to the whole. Promises beyond what is there (over-commit)
// share it in proportion.
func Split(records []Record, m Machine, rates api.Rates, from, to, now time.Time) (machine, workload, idle, overhead float64) {
	worth := func(vcpus, bytes float64) float64 { return vcpus*rates.VCPUHour + bytes/gib*rates.GiBHour }
	whole := worth(m.Physical.VCPUs, float64(m.Physical.Memory))
	kept := worth(m.Reserved.VCPUs, float64(m.Reserved.Memory))
	edges := map[time.Time]bool{from: true, to: true}
	for _, r := range records {
		for _, t := range []time.Time{r.Start, r.End} {
			if t.After(from) && t.Before(to) {
				edges[t] = true
			}
		}
	}
	if now.After(from) && now.Before(to) {
		edges[now] = true
	}
	times := slices.SortedFunc(maps.Keys(edges), time.Time.Compare)
	for i := 1; i < len(times); i++ {
		a, b := times[i-1], times[i]
		hours := b.Sub(a).Hours()
		vcpus, memory := 0.0, 0.0
		for _, r := range records {
			if _, ran := r.within(a, b, now); ran > 0 {
				vcpus += r.VCPUs
				memory += float64(r.Memory)
			}
		}
		vcpus = min(vcpus, m.Physical.VCPUs-m.Reserved.VCPUs)
		memory = min(memory, float64(m.Physical.Memory-m.Reserved.Memory))
		used := worth(vcpus, memory)
		workload += used * hours
		overhead += kept * hours
		idle += (whole - kept - used) * hours
	}
	return whole * to.Sub(from).Hours(), workload, idle, overhead
}
