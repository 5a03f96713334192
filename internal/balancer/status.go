package balancer

import (
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/proxy"
)

// Status is the state of a service now.
func (c *Controller) Status(s *api.Service) api.ServiceStatus {
	c.mu.Lock()
	st := api.ServiceStatus{Backends: slices.Clone(c.seen[s.ID]), Problems: c.problems[s.ID]}
	c.mu.Unlock()
	for i := range st.Backends {
		b := &st.Backends[i]
		if b.State == api.BackendUp {
			st.Up++
		}
		b.Outstanding = c.outstanding(b.Instance)
	}
	st.Traffic = traffic(c.Traffic()[s.ID])
	return st
}

// Traffic counts the HTTP requests of every service, by its id, since the
// daemon started.
func (c *Controller) Traffic() map[string]proxy.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]proxy.Snapshot{}
	for _, d := range c.open {
		for pool, s := range d.proxy.Metrics() {
			id := c.pools[pool]
			out[id] = sum(out[id], s)
		}
	}
	return out
}

func sum(a, b proxy.Snapshot) proxy.Snapshot {
	if a.Buckets == nil {
		return b
	}
	for i := range a.Requests {
		a.Requests[i] += b.Requests[i]
	}
	for i := range a.Buckets {
		a.Buckets[i] += b.Buckets[i]
	}
	a.Retries += b.Retries
	a.Held += b.Held
	a.Duration += b.Duration
	return a
}

var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

func traffic(s proxy.Snapshot) api.ServiceTraffic {
	if s.Total() == 0 {
		return api.ServiceTraffic{}
	}
	t := api.ServiceTraffic{
		Requests: map[string]int64{}, Retries: s.Retries, Held: s.Held, Total: s.Duration,
		Median: api.Duration(s.Quantile(0.5, proxy.Snapshot{})), P99: api.Duration(s.Quantile(0.99, proxy.Snapshot{})),
	}
	for i, n := range s.Requests {
		if n > 0 {
			t.Requests[classes[i]] = n
		}
	}
	for i, n := range s.Buckets {
		l := api.LatencyCount{Count: n}
		if i < len(s.Bounds) {
			l.UpTo = api.Duration(s.Bounds[i])
		}
		t.Bucket = append(t.Bucket, l)
	}
	return t
}
