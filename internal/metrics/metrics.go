package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/virga-cloud/virga/api"
)

// A scrape takes at most this long, reads so many instances at a time, and
// shows so many at most; two scrapes may run at the same time.
const (
	timeout      = 10 * time.Second
	readers      = 4
	maxInstances = 2000
	maxScrapes   = 2
)

// Source is where the figures come from. Its methods may be called
// concurrently.
type Source interface {
	Capacity(ctx context.Context) (api.NodeCapacity, error)
	// Instances are all there are. They must not be changed.
	Instances() []*api.Instance
	// Stats of a running instance.
	Stats(ctx context.Context, id string) (api.Stats, error)
	// Credits is the account of a burst instance; false for another.
	Credits(id string) (api.CPUCredits, bool)
}

// Handler answers scrapes. Beside virga's metrics there are those of the Go
// runtime and of the daemon's process.
func Handler(s Source, log *slog.Logger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if with, ok := s.(ServiceSource); ok {
		registry.MustRegister(newServiceCollector(with))
	}
	if with, ok := s.(VolumeSource); ok {
		registry.MustRegister(newVolumeCollector(with))
	}
	if with, ok := s.(CostSource); ok {
		registry.MustRegister(newCostCollector(with))
	}
	if with, ok := s.(SpotSource); ok {
		registry.MustRegister(newSpotCollector(with))
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
}

// collector reads everything at each scrape.
type collector struct {
	Source
	node            nodeFamilies
	instance        instanceFamilies
	failed, skipped family
}

func newCollector(s Source) *collector {
	return &collector{
		Source: s, node: newNodeFamilies(), instance: newInstanceFamilies(),
		failed:  family{name: "virga_scrape_failures", help: "Readings that failed in this scrape", kind: gauge}.described(),
		skipped: family{name: "virga_scrape_skipped_instances", help: "Instances left out of this scrape because there are too many", kind: gauge}.described(),
	}
}

func (c *collector) families() []family {
	return append(append(c.node.all(), c.instance.all()...), c.failed, c.skipped)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var failures atomic.Int64
	if capacity, err := c.Capacity(ctx); err == nil {
		c.node.collect(capacity, out)
	} else {
		failures.Add(1)
	}
	list := c.Instances()
	shown := list[:min(len(list), maxInstances)]
	var group errgroup.Group
	group.SetLimit(readers)
	for _, in := range shown {
		group.Go(func() error {
			if !c.one(ctx, sender{in, out}) {
				failures.Add(1)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	out <- prometheus.MustNewConstMetric(c.failed.desc, gauge, float64(failures.Load()))
	out <- prometheus.MustNewConstMetric(c.skipped.desc, gauge, float64(len(list)-len(shown)))
}

// one collects an instance and reports whether all of it could be read.
func (c *collector) one(ctx context.Context, s sender) bool {
	c.instance.object(s)
	if credits, ok := c.Credits(s.in.ID); ok {
		c.instance.credits(s, credits)
	}
	if s.in.Status.Phase != api.PhaseRunning && s.in.Status.Phase != api.PhasePaused {
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	st, err := c.Stats(ctx, s.in.ID)
	if err != nil {
		code := api.CodeOf(err)
		return code == api.CodeConflict || code == api.CodeNotFound // it has ended meanwhile
	}
	c.instance.stats(s, st)
	return true
}
