package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
)

// member is what a plan needs to know of an instance.
func (c *Groups) member(in *api.Instance) group.Member {
	st := &in.Status
	m := group.Member{
		ID: in.ID, Revision: in.GroupRevision, Ordinal: in.GroupOrdinal, Created: in.Created,
		Phase: st.Phase, Reason: st.Reason, Started: st.Started, Finished: st.Finished, Protected: in.Protected,
		Warm: in.Warm, Desired: in.Desired.State,
		Node: in.Node, Spot: in.Spec.Spot != nil, Noticed: in.Noticed(),
	}
	if m.Reason == "" && st.ExitCode != nil {
		m.Reason = fmt.Sprintf("exit %d", *st.ExitCode)
	}
	if h := in.Spec.Health; h != nil && (len(h.Test) == 0 || h.Test[0] != "NONE") {
		m.Checked = true
	}
	if st.Health != nil {
		m.Checked, m.Health = true, st.Health.State
	}
	if control.Leaving(in) {
		m.Phase = api.PhaseRemoving
	}
	m.Lost = c.Lost != nil && c.Lost(in.Node)
	return m
}

// promote puts a warm member into service. refused is why the node does not
// allow it.
func (c *Groups) promote(ctx context.Context, g *api.Group, in *api.Instance) (refused *api.Error, err error) {
	err = c.Writes.Apply(ctx, in.ID, func(i *api.Instance) error {
		if !i.Warm || control.Leaving(i) {
			return errDone
		}
		i.Warm = false
		if i.Desired.State == api.DesiredStopped {
			i.Desired.Life++
		}
		i.Desired.State = api.DesiredRunning
		return nil
	})
	if errors.Is(err, errDone) || api.CodeOf(err) == api.CodeNotFound {
		return nil, nil
	}
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code != api.CodeInternal {
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("put %s into service: %w", in.Name, err)
	}
	c.record(g, "promote", in.Name+": taken from the warm pool", map[string]string{"instance": in.ID})
	return nil, nil
}

// freeze pauses a warm member that is ready.
func (c *Groups) freeze(ctx context.Context, in *api.Instance) error {
	err := c.Writes.Member(ctx, in.ID, func(i *api.Instance) error {
		if !i.Warm || i.Desired.State != api.DesiredRunning || control.Leaving(i) {
			return errDone
		}
		i.Desired.State = api.DesiredPaused
		return nil
	})
	if err == nil || errors.Is(err, errDone) || api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	return fmt.Errorf("pause %s: %w", in.Name, err)
}

// errDone says that nothing is left to be written.
var errDone = errors.New("nothing to be written")

// retire has a member stop in its own time and be removed then. Idempotent.
func (c *Groups) retire(ctx context.Context, g *api.Group, in *api.Instance, reason string) error {
	err := c.Writes.Member(ctx, in.ID, func(i *api.Instance) error {
		if control.Leaving(i) {
			return errDone
		}
		i.Desired.State = api.DesiredStopped
		i.Desired.Remove = i.Status.Phase.Ended()
		i.Spec.AutoRemove, i.Spec.Restart = true, api.RestartPolicy{}
		return nil
	})
	if errors.Is(err, errDone) || api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("retire %s: %w", in.Name, err)
	}
	c.record(g, "retire", in.Name+": "+reason, map[string]string{"instance": in.ID})
	return nil
}

// finishLeaving removes members that were to stop first and had no life to
// stop, because the daemon was killed while they started.
func (c *Groups) finishLeaving(ctx context.Context, list []*api.Instance) error {
	for _, in := range list {
		if !control.Leaving(in) || in.Desired.Remove || !in.Status.Phase.Ended() || in.Status.Life >= in.Desired.Life {
			continue
		}
		err := c.Writes.Member(ctx, in.ID, func(i *api.Instance) error {
			i.Desired.Remove = true
			return nil
		})
		if err != nil && api.CodeOf(err) != api.CodeNotFound {
			return fmt.Errorf("remove %s: %w", in.Name, err)
		}
	}
	return nil
}

// create makes one member. refused is why the node or the image do not allow
// it, which is no error of the controller's.
func (c *Groups) create(ctx context.Context, g *api.Group, n group.Creation) (refused *api.Error, err error) {
	i := slices.IndexFunc(g.Revisions, func(r api.GroupRevision) bool { return r.Number == n.Revision })
	if i < 0 {
		return nil, fmt.Errorf("group %s has no revision %d", g.Name, n.Revision)
	}
	r := g.Revisions[i]
	name := g.Name + "-" + control.NewID()[:6]
	if g.Spec.Stateful {
		name = fmt.Sprintf("%s-%d", g.Name, n.Ordinal)
	}
	return c.make(ctx, g, control.Creation{
		CreateRequest: api.CreateRequest{Name: name, Labels: maps.Clone(g.Spec.Labels), Spec: memberSpec(g, purchased(r.Template, n.OnDemand), n.Ordinal)},
		Revision:      n.Revision, Ordinal: n.Ordinal, Image: r.Image, Warm: n.Warm != "", Start: n.Warm != api.WarmStopped,
		Cause: fmt.Sprintf("group %s: %s, revision %d", g.Name, n.Reason, n.Revision),
	})
}

// make stores a new instance of g.
func (c *Groups) make(ctx context.Context, g *api.Group, n control.Creation) (refused *api.Error, err error) {
	n.Project, n.Group = g.Project, g.Name
	in, err := c.Writes.Create(ctx, n)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code != api.CodeInternal {
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", n.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners != nil && in != nil {
		c.owners[in.ID] = g.ID
	}
	return nil, nil
}

// purchased is a template by the purchase option of one place.
func purchased(t api.InstanceSpec, onDemand bool) api.InstanceSpec {
	if onDemand {
		t.Spot = nil
	}
	return t
}

// memberSpec is a template for one place. The group replaces what ends, so
// that an instance itself is not restarted; a claim becomes the volume of its
// ordinal.
func memberSpec(g *api.Group, t api.InstanceSpec, ordinal int) api.InstanceSpec {
	t.Restart, t.AutoRemove = api.RestartPolicy{Policy: api.RestartNo}, false
	t.Mounts = slices.Clone(t.Mounts)
	for i := range t.Mounts {
		if m := &t.Mounts[i]; m.Claim {
			m.Claim, m.Source = false, ClaimedVolume(m.Source, g.Name, ordinal)
		}
	}
	return t
}

// ClaimedVolume is the name of the volume that an instance of a stateful group
// claims.
func ClaimedVolume(source, group string, ordinal int) string {
	return fmt.Sprintf("%s-%s-%d", source, group, ordinal)
}
