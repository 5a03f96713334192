package balancer

import (
	"context"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	defaultDrain = 10 * time.Second
	// drainPoll is how often the requests under way are counted. They must be
	// none twice in a row: one may have chosen its backend just before that
	// was taken out.
	drainPoll = 5 * time.Millisecond
)

// Drain takes an instance that is about to be stopped out of its services, and
// returns when its HTTP requests have ended, or their time to is over. It
// returns at once for an instance that backs no service.
func (c *Controller) Drain(ctx context.Context, instance string) {
	in, err := c.Store.Instances.View(instance)
	limit, backs := c.drainLimit(instance)
	if err != nil || !backs {
		return
	}
	c.mu.Lock()
	c.draining[instance] = in.Status.Starts
	c.mu.Unlock()
	c.apply()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for quiet := 0; quiet < 2; {
		if c.outstanding(instance) == 0 {
			quiet++
		} else {
			quiet = 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// drainLimit is the longest that a service of the instance waits, and whether
// there is one.
func (c *Controller) drainLimit(instance string) (limit time.Duration, backs bool) {
	c.mu.Lock()
	seen := c.seen
	c.mu.Unlock()
	for id, backends := range seen {
		for _, b := range backends {
			if b.Instance != instance || b.State == api.BackendIdle {
				continue
			}
			s, err := c.Store.Services.View(id)
			if err != nil {
				continue
			}
			backs = true
			d := defaultDrain
			if s.Spec.Balance.Drain != nil {
				d = time.Duration(*s.Spec.Balance.Drain)
			}
			limit = max(limit, d)
		}
	}
	return limit, backs
}

// outstanding counts the requests that an instance has under way.
func (c *Controller) outstanding(instance string) (n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.open {
		for _, p := range d.config.Pools {
			n += d.proxy.Outstanding(p.Name)[instance]
		}
	}
	return n
}

func (c *Controller) isDraining(instance string) bool {
	in, err := c.Store.Instances.View(instance)
	c.mu.Lock()
	defer c.mu.Unlock()
	life, ok := c.draining[instance]
	return err == nil && ok && life == in.Status.Starts
}

// forgetDrained forgets the lives that have ended.
func (c *Controller) forgetDrained(instances []*api.Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.draining) == 0 {
		return
	}
	alive := map[string]bool{}
	for _, in := range instances {
		alive[in.ID] = c.draining[in.ID] == in.Status.Starts && !in.Status.Phase.Ended() && in.Status.Phase != api.PhaseRestarting
	}
	for id := range c.draining {
		if !alive[id] {
			delete(c.draining, id)
		}
	}
}
