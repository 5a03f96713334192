package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/autoscale"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Load is what services saw of a group: requests per second, all instances
// together, and the 95th percentile of the time to an answer.
type Load struct {
	Requests float64
	Latency  time.Duration
}

// Meter measures groups.
type Meter struct {
	Store *store.Store
	// Stats reads what an instance has used.
	Stats func(ctx context.Context, id string) (api.Stats, error)
	// Load asks the services in front of a group, or is nil; ok is false when
	// there is none.
	Load func(g *api.Group) (l Load, ok bool)
	// Node is what an instance without limits of its own can use.
	Node api.Amount
	Now  func() time.Time
	Log  *slog.Logger

	queues queues

	mu   sync.Mutex
	last map[string]api.Stats // +checklocks:mu newest reading of each instance, by id
}

// Sample measures a group. A metric that cannot be measured is left out.
func (m *Meter) Sample(ctx context.Context, g *api.Group) autoscale.Sample {
	now := m.Now()
	s := autoscale.Sample{Time: now, Metrics: map[api.ScalingMetric]float64{}}
	warmUp := autoscale.WarmUp(*g.Spec.Scaling)
	var cpu, memory, network float64
	measured := 0
	for _, in := range m.Store.Instances.Views() {
		if in.Group != g.Name || in.Project != g.Project || in.Warm || control.Leaving(in) || in.Status.Phase != api.PhaseRunning {
			continue
		}
		unwell := in.Status.Health != nil && in.Status.Health.State != api.HealthHealthy
		// One that started after now did so before the clock was set back.
		age := now.Sub(in.Status.Started)
		if unwell || age >= 0 && age < warmUp {
			s.Warming++
			m.use(ctx, in) // so that the next reading has one before it
			continue
		}
		s.Ready++
		if u, ok := m.use(ctx, in); ok {
			cpu, memory, network = cpu+u.cpu, memory+u.memory, network+u.network
			measured++
		}
	}
	if n := float64(measured); measured > 0 {
		s.Metrics[api.MetricCPU], s.Metrics[api.MetricMemory], s.Metrics[api.MetricNetwork] = cpu/n, memory/n, network/n
	}
	share := float64(max(s.Ready, 1))
	if m.Load != nil {
		if l, ok := m.Load(g); ok {
			s.Metrics[api.MetricRequests] = l.Requests / share
			s.Metrics[api.MetricLatency] = float64(l.Latency) / float64(time.Millisecond)
		}
	}
	if q := g.Spec.Scaling.Queue; q != nil {
		length, err := m.queues.length(ctx, *q)
		if err == nil {
			s.Metrics[api.MetricQueue] = length / share
		} else if ctx.Err() == nil {
			m.Log.Warn("queue not measured", "group", g.Name, "error", err)
		}
	}
	return s
}

// use is what an instance uses at present, in the units of the metrics.
type use struct{ cpu, memory, network float64 }

// use reads an instance, and compares with the reading before; ok is false
// without one.
func (m *Meter) use(ctx context.Context, in *api.Instance) (u use, ok bool) {
	now, err := m.Stats(ctx, in.ID)
	if err != nil {
		return u, false // it has ended meanwhile
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = map[string]api.Stats{}
	}
	was, known := m.last[in.ID]
	m.last[in.ID] = now
	seconds := now.Time.Sub(was.Time).Seconds()
	if !known || seconds <= 0 || now.CPU.Usage < was.CPU.Usage {
		return u, false
	}
	vcpus, memory := m.size(in)
	u.cpu = 100 * (now.CPU.Usage - was.CPU.Usage).Seconds() / seconds / vcpus
	u.memory = 100 * float64(now.Memory.Usage) / memory
	u.network = float64(now.Network.RxBytes-was.Network.RxBytes+now.Network.TxBytes-was.Network.TxBytes) / seconds
	return u, true
}

// size is what 100 % of an instance is.
func (m *Meter) size(in *api.Instance) (vcpus, memory float64) {
	vcpus, memory = m.Node.VCPUs, float64(m.Node.Memory)
	if t := in.Type; t != nil && t.VCPUs > 0 {
		vcpus = t.VCPUs
	}
	limits := in.Limits()
	if limits.CPUs > 0 {
		vcpus = limits.CPUs
	}
	if limits.Memory > 0 {
		memory = float64(limits.Memory)
	}
	return max(vcpus, 0.001), max(memory, 1)
}

// Forget drops the readings of instances that belong to none of the groups.
func (m *Meter) Forget(groups []*api.Group) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.last {
		in, err := m.Store.Instances.View(id)
		keep := false
		for _, g := range groups {
			keep = keep || err == nil && in.Group == g.Name && in.Project == g.Project
		}
		if !keep {
			delete(m.last, id)
		}
	}
}
