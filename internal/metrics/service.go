package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// ServiceSource is a Source that knows of services too.
type ServiceSource interface {
	// Services are all there are, with their status.
	Services() []api.Service
}

var serviceLabels = []string{"id", "name", "project"}

// serviceCollector reads the services at each scrape.
type serviceCollector struct {
	ServiceSource
	requests, retries, held, backends family
	latency                           *prometheus.Desc
}

func newServiceCollector(s ServiceSource) *serviceCollector {
	make := func(kind prometheus.ValueType, name, help string, labels ...string) family {
		return family{name: "virga_service_" + name, help: help, kind: kind, labels: labels}.described(serviceLabels...)
	}
	return &serviceCollector{
		ServiceSource: s,
		requests:      make(counter, "requests_total", "HTTP requests by class of their status; none got no answer", "class"),
		retries:       make(counter, "retries_total", "HTTP requests that were tried on another instance"),
		held:          make(counter, "held_total", "HTTP requests that waited for a first instance"),
		backends:      make(gauge, "backends", "Instances behind it by state", "state"),
		latency:       prometheus.NewDesc("virga_service_request_seconds", "Time to the end of the answer of HTTP requests", serviceLabels, nil),
	}
}

func (c *serviceCollector) families() []family {
	return []family{c.requests, c.retries, c.held, c.backends}
}

// Describe implements prometheus.Collector.
func (c *serviceCollector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		out <- f.desc
	}
	out <- c.latency
}

// Collect implements prometheus.Collector.
func (c *serviceCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.Services() {
		c.one(s, out)
	}
}

func (c *serviceCollector) one(s api.Service, out chan<- prometheus.Metric) {
	send := func(f family, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, v, append([]string{s.ID, s.Name, s.Project}, labels...)...)
	}
	states := map[api.BackendState]int{api.BackendUp: 0}
	for _, b := range s.Status.Backends {
		states[b.State]++
	}
	for state, n := range states {
		send(c.backends, float64(n), string(state))
	}
	t := s.Status.Traffic
	if t.Requests == nil {
		return
	}
	total := uint64(0)
	for class, n := range t.Requests {
		send(c.requests, float64(n), class)
	}
	send(c.retries, float64(t.Retries))
	send(c.held, float64(t.Held))
	buckets := map[float64]uint64{}
	for _, b := range t.Bucket {
		total += uint64(b.Count)
		if b.UpTo != 0 {
			buckets[time.Duration(b.UpTo).Seconds()] = total
		}
	}
	out <- prometheus.MustNewConstHistogram(c.latency, total, t.Total.Seconds(), buckets, s.ID, s.Name, s.Project)
}
