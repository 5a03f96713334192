package controller

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/group"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Activator is the controller that brings a group back which its scaling
// policy had shrunk to nothing, when a request waits for it.
type Activator struct {
	Store *store.Store
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	Now    func() time.Time
	Log    *slog.Logger

	loop Loop
}

// Held says that a request to a service waits for a first backend. It does not
// block, and may be called before the controller runs.
func (c *Activator) Held(service string) { c.loop.ask(service) }

// Controller is the loop over the services that have a request waiting.
func (c *Activator) Controller() Controller {
	c.loop.All = func() []string { return nil }
	c.loop.Step, c.loop.Log = c.Step, c.Log
	return Controller{Name: "activator", Run: c.loop.Run}
}

// errAwake says that a group needs no waking.
var errAwake = errors.New("the group is awake, or not to be woken")

// Step wakes the group behind a service. A group that the user has set to
// nothing, without a policy, stays.
func (c *Activator) Step(ctx context.Context, service string) (wake time.Time, err error) {
	s, err := c.Store.Services.View(service)
	if err != nil || s.Spec.Selector.Group == "" {
		return time.Time{}, nil
	}
	g, err := c.Store.Groups.Find(s.Project, s.Spec.Selector.Group)
	if err != nil {
		return time.Time{}, nil
	}
	const why = "0 → 1 because a request waits"
	now := c.Now()
	next, err := c.Store.Groups.Update(ctx, g.ID, func(g *api.Group) error {
		if g.Spec.Desired > 0 || g.Spec.Scaling == nil || g.Spec.Paused || g.Remove {
			return errAwake
		}
		g.Spec.Desired = 1
		group.Note(g, now, why)
		return nil
	})
	if errors.Is(err, errAwake) || api.CodeOf(err) == api.CodeNotFound {
		return time.Time{}, nil
	}
	if err == nil {
		c.Record(api.Event{Time: now, Kind: "group", Action: "scale", ID: next.ID, Name: next.Name, Project: next.Project,
			Message: why, Attrs: map[string]string{"service": s.Name}})
	}
	return time.Time{}, err
}
