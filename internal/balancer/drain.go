package balancer

import (
	"context"
	"net/netip"
	"time"

	"github.com/virga-cloud/virga/api"
)

const (
	defaultDrain = 10 * time.Second
	// drainPoll is how often the requests under way are counted. They must be
	// none twice in a row: one may have chosen its backend just before that
	// was taken out.
	drainPoll = 5 * time.Millisecond
	// connectionPoll is how often the kernel's table of connections is read.
	connectionPoll = 50 * time.Millisecond
)

// Drain takes an instance that is about to be stopped out of its services, and
// returns when its HTTP requests and the TCP connections through services have
// ended, or their time to is over. It returns at once for an instance that
// backs no service.
func (c *Controller) Drain(ctx context.Context, instance string) {
	in, err := c.Store.Instances.View(instance)
	limit, tcp, backs := c.drained(instance)
	if err != nil || !backs {
		return
	}
	c.mu.Lock()
	c.draining[instance] = in.Status.Starts
	c.mu.Unlock()
	c.apply()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if c.awaitRequests(ctx, instance) && len(tcp) > 0 {
		c.awaitConnections(ctx, instance, tcp)
		if err := c.Network.ForgetEnded(tcp); err != nil {
			c.Log.Warn("a client may be led to an instance that is gone", "instance", instance, "error", err)
		}
	}
}

// awaitRequests returns when an instance has no HTTP requests, or false when
// ctx ended before.
func (c *Controller) awaitRequests(ctx context.Context, instance string) bool {
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
			return false
		}
	}
	return true
}

// awaitConnections returns when services lead no TCP connections to the given
// ones, or ctx ended.
func (c *Controller) awaitConnections(ctx context.Context, instance string, tcp []netip.AddrPort) {
	for {
		began := time.Now()
		n, err := c.Network.Connections(tcp)
		if err != nil {
			c.Log.Error("an instance is stopped without waiting for its connections", "instance", instance, "error", err)
			return
		}
		if n == 0 {
			return
		}
		select {
		case <-ctx.Done():
			c.Log.Info("connections of an instance did not end in time", "instance", instance, "connections", n)
			return
		case <-time.After(max(connectionPoll, 10*time.Since(began))): // a long table must not keep a core busy
		}
	}
}

// drained is what the stop of an instance waits for: the longest that a
// service of it says, and where the kernel leads connections of tcp ports. backs
// is false when there is no service.
func (c *Controller) drained(instance string) (limit time.Duration, tcp []netip.AddrPort, backs bool) {
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
			for _, p := range s.Spec.Ports {
				if p.Protocol != api.ProtocolTCP {
					continue
				}
				for _, a := range []netip.Addr{b.Address, b.Address6} {
					if a.IsValid() {
						tcp = append(tcp, netip.AddrPortFrom(a, p.Target))
					}
				}
			}
		}
	}
	return limit, tcp, backs
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
