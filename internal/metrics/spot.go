package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// SpotSource is a Source that knows the spot market too.
type SpotSource interface {
	// Instances are all there are. They must not be changed.
	Instances() []*api.Instance
	SpotMarket() api.SpotMarket
}

// spotCollector reads the market at each scrape.
type spotCollector struct {
	SpotSource
	share, utilisation, instances, deadline family
}

func newSpotCollector(s SpotSource) *spotCollector {
	return &spotCollector{
		SpotSource:  s,
		share:       family{name: "virga_spot_price_ratio", help: "Spot price as a share of the on-demand one", kind: gauge}.described("node"),
		utilisation: family{name: "virga_spot_utilisation_ratio", help: "Share of the vCPUs or of the memory, whichever is more, that is promised", kind: gauge}.described("node"),
		instances:   family{name: "virga_spot_instances", help: "Spot instances by state: running, rebalance, noticed, interrupted", kind: gauge, labels: []string{"state"}}.described("node"),
		deadline:    family{name: "virga_spot_next_deadline_timestamp_seconds", help: "When the next noticed instance must have left; absent without one", kind: gauge}.described("node"),
	}
}

func (c *spotCollector) families() []family {
	return []family{c.share, c.utilisation, c.instances, c.deadline}
}

// Describe implements prometheus.Collector.
func (c *spotCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *spotCollector) Collect(out chan<- prometheus.Metric) {
	m := c.SpotMarket()
	send := func(f family, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, v, append([]string{m.Node}, labels...)...)
	}
	send(c.share, m.Share)
	send(c.utilisation, m.Utilisation)
	states := map[string]int{"running": 0, "rebalance": 0, "noticed": 0, "interrupted": 0}
	next := 0.0
	for _, in := range c.Instances() {
		state := spotState(in)
		if state == "" {
			continue
		}
		states[state]++
		if state == "noticed" {
			if at := float64(in.Spot.Notice.Deadline.Unix()); next == 0 || at < next {
				next = at
			}
		}
	}
	for state, n := range states {
		send(c.instances, float64(n), state)
	}
	if next > 0 {
		send(c.deadline, next)
	}
}

// spotState is where a spot instance stands with the market, "" for another and
// for one that its user has stopped.
func spotState(in *api.Instance) string {
	switch {
	case in.Spec.Spot == nil || in.Spot == nil:
		return ""
	case in.Interrupted():
		return "interrupted"
	case in.Noticed():
		return "noticed"
	case in.Desired.State == api.DesiredStopped || in.Status.Phase.Ended():
		return ""
	case !in.Spot.Rebalance.IsZero():
		return "rebalance"
	}
	return "running"
}
