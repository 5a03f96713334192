package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/autoscale"
	"github.com/virga-cloud/virga/internal/control/group"
	"github.com/virga-cloud/virga/internal/control/store"
)

// sampleEvery is the time between two measurements of a group that scales.
const sampleEvery = time.Second

// Autoscaler is the controller that makes the desired number of groups follow
// their load. It measures only groups that have a scaling policy, and writes
// nothing of them but their number, their bounds and a line of history, and the
// loads that predictions are made from. What else it has measured is forgotten
// when the daemon ends.
type Autoscaler struct {
	Store *store.Store
	Meter *Meter
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	Now    func() time.Time
	Log    *slog.Logger

	memories map[string]remembered        // of each group, by id
	loads    map[string]autoscale.History // of each group that predicts, by id
}

// remembered is what the controller knows of a group's past.
type remembered struct {
	autoscale.Memory
	desired int // as it was left
}

// Controller is the loop over all groups that scale.
func (c *Autoscaler) Controller() Controller {
	return Controller{Name: "autoscaling", Run: c.run}
}

func (c *Autoscaler) run(ctx context.Context) error {
	c.memories = map[string]remembered{}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if len(c.scaling()) == 0 {
			c.await(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.Tick(ctx)
		}
	}
}

// await returns when there is a group to measure, or when ctx ends.
func (c *Autoscaler) await(ctx context.Context) {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := c.Store.Groups.Watch(watch)
	for len(c.scaling()) == 0 {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changes:
			if !ok {
				changes = c.Store.Groups.Watch(watch)
			}
		}
	}
}

// scaling are the groups whose number follows the load.
func (c *Autoscaler) scaling() (list []*api.Group) {
	for _, g := range c.Store.Groups.Views() {
		if g.Spec.Scaling != nil && !g.Spec.Paused && !g.Remove {
			list = append(list, g)
		}
	}
	return list
}

// Tick measures every group once and changes the numbers that are to change.
func (c *Autoscaler) Tick(ctx context.Context) {
	groups := c.scaling()
	samples := make([]autoscale.Sample, len(groups))
	var wg sync.WaitGroup
	for i, g := range groups { // side by side: a slow query holds up nobody else
		wg.Go(func() { samples[i] = c.Meter.Sample(ctx, g) })
	}
	wg.Wait()
	for i, g := range groups {
		if g.Spec.Scaling.Predictive == nil {
			continue
		}
		if err := c.remember(ctx, g, &samples[i]); err != nil && ctx.Err() == nil {
			c.Log.Error("load of a group not remembered", "group", g.Name, "error", err)
		}
	}
	c.forget(ctx)
	known := map[string]remembered{}
	for i, g := range groups {
		sp := g.Spec
		past, seen := c.memories[g.ID]
		if seen && past.desired != sp.Desired { // by someone else
			past.Memory = past.Changed(samples[i].Time)
		}
		d, m := autoscale.Decide(*sp.Scaling, sp.Desired, sp.Min, sp.Max, samples[i], past.Memory)
		known[g.ID] = remembered{m, d.Desired}
		if d.Desired == sp.Desired && d.Min == sp.Min && d.Max == sp.Max {
			continue
		}
		if err := c.apply(ctx, g, d); err != nil && ctx.Err() == nil {
			c.Log.Error("number of a group not changed", "group", g.Name, "error", err)
			known[g.ID] = past // decide it again
		}
	}
	c.memories = known
	c.Meter.Forget(groups)
}

func (c *Autoscaler) apply(ctx context.Context, g *api.Group, d autoscale.Decision) error {
	was := g.Spec.Desired
	now := c.Now()
	_, err := c.Store.Groups.Update(ctx, g.ID, func(g *api.Group) error {
		if g.Spec.Desired != was || g.Spec.Scaling == nil || g.Remove || g.Spec.Paused {
			return errStale
		}
		g.Spec.Desired, g.Spec.Min, g.Spec.Max = d.Desired, d.Min, d.Max
		if d.Reason != "" {
			group.Explain(g, now, d.Reason, d.Inputs)
		}
		return nil
	})
	if err == errStale || api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	if err == nil && d.Reason != "" {
		c.Record(api.Event{Time: now, Kind: "group", Action: "scale", ID: g.ID, Name: g.Name, Project: g.Project, Message: d.Reason})
	}
	return err
}
