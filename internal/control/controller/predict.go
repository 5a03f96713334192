package controller

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/autoscale"
	"github.com/virga-cloud/virga/internal/control/store"
)

// remember adds a sample to the load of a group that predicts, and puts what
// is expected of it into the sample. What is stored is a slot behind at most:
// it is written when one ends.
func (c *Autoscaler) remember(ctx context.Context, g *api.Group, s *autoscale.Sample) error {
	h, known := c.loads[g.ID]
	stored, err := c.Store.Loads.View(g.ID)
	if !known && err == nil {
		h = stored.History
	}
	ended := false
	if load, ok := autoscale.Load(*g.Spec.Scaling, *s); ok {
		h, ended = h.Add(s.Time, load)
	}
	if c.loads == nil {
		c.loads = map[string]autoscale.History{}
	}
	c.loads[g.ID] = h
	s.Expected = h.Expected(*g.Spec.Scaling.Predictive, s.Time)
	switch {
	case err != nil: // it is new
		return c.Store.Loads.Create(ctx, &store.Load{Meta: api.Meta{ID: g.ID, Name: g.Name, Project: g.Project, Created: s.Time}, History: h})
	case ended:
		return c.Store.Loads.Observe(g.ID, func(l *store.Load) { l.History = h })
	}
	return nil
}

// forget drops the loads of groups that are gone or no longer predict.
func (c *Autoscaler) forget(ctx context.Context) {
	for _, l := range c.Store.Loads.Views() {
		g, err := c.Store.Groups.View(l.ID)
		if err == nil && g.Spec.Scaling != nil && g.Spec.Scaling.Predictive != nil {
			continue
		}
		delete(c.loads, l.ID)
		if err := c.Store.Loads.Delete(ctx, l.ID); err != nil && ctx.Err() == nil {
			c.Log.Error("load of a group not forgotten", "group", l.Name, "error", err)
		}
	}
}
