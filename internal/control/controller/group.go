package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Groups is the controller of groups: it makes and retires their instances as
// control/group plans. It is the only writer of groups' status and the only
// one that makes instances of groups.
type Groups struct {
	Store *store.Store
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	Now    func() time.Time
	Log    *slog.Logger
	Writes Writes
	// Lost reports whether a node is none that instances may be on, so that
	// its members are replaced; nil is never.
	Lost func(node string) bool

	mu     sync.Mutex
	owners map[string]string // +checklocks:mu group of each instance that was seen, by id
}

// errStale says that the group is no longer the one that was planned for.
var errStale = errors.New("the group has changed")

// Controller is the loop over all groups.
func (c *Groups) Controller() Controller {
	c.owners = map[string]string{}
	loop := &Loop{
		Inputs: []Input{
			{c.Store.Groups.Watch, func(id string) string { return id }},
			{c.Store.Instances.Watch, c.owner},
		},
		All:  c.all,
		Step: c.Step,
		Log:  c.Log,
	}
	return Controller{Name: "groups", Run: loop.Run}
}

func (c *Groups) all() []string {
	for _, in := range c.Store.Instances.Views() {
		c.owner(in.ID)
	}
	var ids []string
	for _, g := range c.Store.Groups.Views() {
		ids = append(ids, g.ID)
	}
	return ids
}

// owner is the id of an instance's group. That of one that is gone is
// remembered from when it was there.
func (c *Groups) owner(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, err := c.Store.Instances.View(id)
	if err != nil {
		g := c.owners[id]
		delete(c.owners, id)
		return g
	}
	if in.Group == "" {
		return ""
	}
	g, err := c.Store.Groups.Find(in.Project, in.Group)
	if err != nil || g.Name != in.Group {
		return ""
	}
	c.owners[id] = g.ID
	return g.ID
}

// members are the instances of g.
func (c *Groups) members(g *api.Group) []*api.Instance {
	var list []*api.Instance
	for _, in := range c.Store.Instances.Views() {
		if in.Group == g.Name && in.Project == g.Project {
			list = append(list, in)
		}
	}
	return list
}

// Step makes one plan for a group and carries it out. The status is written
// first, so that a wait for the next try holds even if the daemon is killed
// before the failed instance is gone.
func (c *Groups) Step(ctx context.Context, id string) (wake time.Time, err error) {
	g, err := c.Store.Groups.View(id)
	if err != nil {
		return time.Time{}, nil // gone
	}
	list := c.members(g)
	if err := c.finishLeaving(ctx, list); err != nil {
		return time.Time{}, err
	}
	if g.Remove {
		return time.Time{}, c.dissolve(ctx, g, list)
	}
	if g.Spec.Job != nil {
		return c.stepJob(ctx, g, list)
	}
	now := c.Now()
	byID := map[string]*api.Instance{}
	members := make([]group.Member, len(list))
	for i, in := range list {
		members[i], byID[in.ID] = c.member(in), in
	}
	plan := group.Decide(*g, members, now)
	wake = plan.Wake
	if err := c.note(ctx, g, plan, byID, now); err != nil {
		if errors.Is(err, errStale) || api.CodeOf(err) == api.CodeNotFound {
			return now, nil
		}
		return time.Time{}, err
	}
	for _, r := range plan.Remove {
		if err := c.retire(ctx, g, byID[r.ID], r.Reason); err != nil {
			return time.Time{}, err
		}
	}
	for _, id := range plan.Promote {
		refused, err := c.promote(ctx, g, byID[id])
		if err != nil {
			return time.Time{}, err
		}
		if refused != nil {
			return c.refused(ctx, g, plan.Status, refused)
		}
	}
	for _, id := range plan.Freeze {
		if err := c.freeze(ctx, byID[id]); err != nil {
			return time.Time{}, err
		}
	}
	for _, n := range plan.Create {
		refused, err := c.create(ctx, g, n)
		if err != nil {
			return time.Time{}, err
		}
		if refused != nil && n.Warm != "" {
			c.Log.Warn("warm pool not filled", "group", g.Name, "cause", refused.Message)
			return now.Add(refillAfter), nil // nobody who serves is missing
		}
		if refused != nil {
			return c.refused(ctx, g, plan.Status, refused)
		}
	}
	return wake, nil
}

// refillAfter is the wait before a warm instance that was refused is asked for
// again.
const refillAfter = time.Minute

// dissolve retires all members, and deletes the group when they are gone.
func (c *Groups) dissolve(ctx context.Context, g *api.Group, list []*api.Instance) error {
	if g.Status.Phase != api.GroupRemoving {
		if err := c.Writes.Observe(g.ID, func(g *api.Group) { g.Status.Phase = api.GroupRemoving }); err != nil {
			return err
		}
	}
	for _, in := range list {
		if control.Leaving(in) {
			continue
		}
		if err := c.retire(ctx, g, in, "the group is being removed"); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return nil
	}
	if err := c.Writes.Delete(ctx, g.ID); err != nil {
		return err
	}
	c.record(g, "remove", "", nil)
	return nil
}

// note stores what the plan says of the group and why. Numbers that can be
// counted again are stored late; what is decided is on disk before it is done.
func (c *Groups) note(ctx context.Context, g *api.Group, plan group.Plan, byID map[string]*api.Instance, now time.Time) error {
	was, next := g.Status, plan.Status
	was.History, next.History = nil, nil
	planned := revision(g)
	decided := plan.Rollback != 0 || len(plan.Remove) > 0 || was.Held != next.Held || was.Failures != next.Failures || !was.NextTry.Equal(next.NextTry)
	if !decided {
		if sameStatus(was, next) {
			return nil
		}
		return c.Writes.Observe(g.ID, func(g *api.Group) {
			if revision(g) != planned || !sameStatus(g.Status, was) {
				return // the user has changed it meanwhile, and said so in the status
			}
			history := g.Status.History
			g.Status = next
			g.Status.History = history
		})
	}
	err := c.Writes.Update(ctx, g.ID, func(g *api.Group) error {
		if revision(g) != planned || g.Remove || !sameStatus(g.Status, was) {
			return errStale
		}
		history := g.Status.History
		if plan.Rollback != 0 {
			if _, err := group.Return(g, plan.Rollback, now); err != nil {
				return err
			}
		}
		g.Status = next
		g.Status.History = history
		for _, r := range plan.Remove {
			group.Note(g, now, byID[r.ID].Name+": "+r.Reason)
		}
		if plan.Rollback != 0 {
			group.Note(g, now, fmt.Sprintf("rolled back to revision %d because %s", plan.Rollback, next.Reason))
		}
		if was.Held != next.Held {
			group.Note(g, now, next.Reason)
		}
		return nil
	})
	if err == nil && was.Held != next.Held {
		c.record(g, "hold", next.Reason, nil)
	}
	if err == nil && plan.Rollback != 0 {
		c.record(g, "rollback", fmt.Sprintf("to revision %d because %s", plan.Rollback, next.Reason), nil)
	}
	return err
}

// refused takes note that an instance could not be made.
func (c *Groups) refused(ctx context.Context, g *api.Group, status api.GroupStatus, cause *api.Error) (time.Time, error) {
	next := group.Refused(status, c.Now(), cause.Message)
	planned := revision(g)
	err := c.Writes.Update(ctx, g.ID, func(g *api.Group) error {
		if revision(g) != planned || !sameStatus(g.Status, status) {
			return errStale
		}
		next.History = g.Status.History
		g.Status = next
		group.Note(g, c.Now(), "no instance could be made: "+cause.Message)
		return nil
	})
	if errors.Is(err, errStale) {
		return c.Now(), nil
	}
	c.record(g, "fail", cause.Message, nil)
	return next.NextTry, err
}

func sameStatus(a, b api.GroupStatus) bool {
	return a.Phase == b.Phase && a.Reason == b.Reason && a.Instances == b.Instances && a.Ready == b.Ready &&
		a.Current == b.Current && a.Warm == b.Warm && a.Failures == b.Failures && a.NextTry.Equal(b.NextTry) && a.Held == b.Held && a.RolledBack == b.RolledBack
}

// revision is the number of the current one.
func revision(g *api.Group) int {
	if n := len(g.Revisions); n > 0 {
		return g.Revisions[n-1].Number
	}
	return 0
}

// record appends an event about a group.
func (c *Groups) record(g *api.Group, action, message string, attrs map[string]string) {
	c.Record(api.Event{
		Time: c.Now(), Kind: "group", Action: action, ID: g.ID, Name: g.Name, Project: g.Project, Message: message, Attrs: attrs,
	})
}
