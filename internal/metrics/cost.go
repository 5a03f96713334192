package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// CostSource is a Source that knows what things cost too.
type CostSource interface {
	// Instances are all there are. They must not be changed.
	Instances() []*api.Instance
	// Spent is what an instance has cost so far, and costs for an hour while
	// it runs.
	Spent(id string) (spent, perHour float64)
	MachineCost() MachineCost
}

// MachineCost is what a node costs.
type MachineCost struct {
	Node, Currency string
	PerHour        float64
	// Parts are where that went since the daemon began: workload, idle,
	// overhead.
	Parts map[string]float64
}

// costCollector reads the costs at each scrape.
type costCollector struct {
	CostSource
	spent, price, machine, part family
}

func newCostCollector(s CostSource) *costCollector {
	return &costCollector{
		CostSource: s,
		spent:      family{name: "virga_instance_cost_total", help: "What it has cost so far, surplus credits included", kind: counter, labels: []string{"currency"}}.described(instanceLabels...),
		price:      family{name: "virga_instance_price_per_hour", help: "What an hour of it costs; 0 while it does not run", kind: gauge, labels: []string{"currency"}}.described(instanceLabels...),
		machine:    family{name: "virga_node_price_per_hour", help: "What an hour of the machine costs", kind: gauge, labels: []string{"currency"}}.described("node"),
		part:       family{name: "virga_node_cost_total", help: "Where the machine's price went since the daemon began: workload, idle, overhead", kind: counter, labels: []string{"part", "currency"}}.described("node"),
	}
}

func (c *costCollector) families() []family { return []family{c.spent, c.price, c.machine, c.part} }

// Describe implements prometheus.Collector.
func (c *costCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *costCollector) Collect(out chan<- prometheus.Metric) {
	m := c.MachineCost()
	out <- prometheus.MustNewConstMetric(c.machine.desc, gauge, m.PerHour, m.Node, m.Currency)
	for part, v := range m.Parts {
		out <- prometheus.MustNewConstMetric(c.part.desc, counter, v, m.Node, part, m.Currency)
	}
	list := c.Instances()
	for _, in := range list[:min(len(list), maxInstances)] {
		s := sender{in, out}
		spent, perHour := c.Spent(in.ID)
		s.send(c.spent, spent, m.Currency)
		s.send(c.price, perHour, m.Currency)
	}
}
