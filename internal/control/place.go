package control

import (
	"errors"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/schedule"
	"github.com/virga-cloud/virga/internal/control/spot"
)

// nodes are all that an instance which takes c may go to, with what l leaves
// free on them, all of it when l is nil. There is one; with more, this is where
// they come in.
//
// +checklocks:a.promises.mu
func (a *Admission) nodes(in *api.Instance, c claim, l *ledger) []schedule.Node {
	n := schedule.Node{Name: a.Node, Labels: a.Labels, Total: a.Supply.total(), Free: a.Supply.total()}
	if l != nil {
		n.Free = n.Free.Minus(l.room())
		if l.lacks(c) == nil { // exactly; a room is rounded
			for i, need := range a.Supply.room(c) {
				n.Free[i] = max(n.Free[i], need)
			}
		}
	}
	// Who is on a node matters where the placement says so.
	if in.Spec.Placement != nil {
		n.Has = a.tenants(in)
	}
	return []schedule.Node{n}
}

// Lost reports whether a node is not one that instances may be on.
func (a *Admission) Lost(node string) bool { return node != a.Node }

// tenants are the instances on the node, but for one itself and those that
// leave.
//
// +checklocks:a.promises.mu
func (a *Admission) tenants(except *api.Instance) (list []schedule.Tenant) {
	for _, in := range a.Store.Instances.Views() {
		if in.ID == except.ID || in.Node != a.Node || in.Project != except.Project || Leaving(in) {
			continue
		}
		list = append(list, schedule.Tenant{Group: in.Group, Labels: in.Labels})
	}
	for id, in := range a.promises.placed {
		if _, err := a.Store.Instances.View(id); err != nil && in.Project == except.Project {
			list = append(list, schedule.Tenant{Group: in.Group, Labels: in.Labels})
		}
	}
	return list
}

// place binds a new instance, which takes c, to the node that the scheduler
// chooses. waits says that spot instances must leave it first.
//
// +checklocks:a.promises.mu
func (a *Admission) place(in *api.Instance, c claim) (waits bool, err error) {
	if in.Node, err = a.choose(in, claim{}, nil); err != nil {
		return false, err // its placement allows none
	}
	if c.class == "" {
		return false, nil
	}
	all := a.ledger(in.ID, true)
	node, short := a.choose(in, c, all)
	if short != nil && in.Spec.Spot == nil {
		node, err = a.choose(in, c, a.ledger(in.ID, false))
		waits = err == nil
	}
	if short != nil && !waits {
		return false, a.explain(all, c)
	}
	in.Node = node
	return waits, nil
}

// Leaving reports whether an instance is on its way out: it is removed, or
// stops to be removed then.
func Leaving(in *api.Instance) bool {
	return in.Desired.Remove || in.Spec.AutoRemove && in.Desired.State == api.DesiredStopped
}

// choose asks the scheduler for the node of an instance that takes c of it;
// the zero claim asks for what its placement alone allows.
//
// +checklocks:a.promises.mu
func (a *Admission) choose(in *api.Instance, c claim, l *ledger) (string, error) {
	p, err := schedule.Parse(in.Spec.Placement)
	if err != nil {
		return "", err
	}
	r := schedule.Request{Name: in.Name, Group: in.Group, Labels: in.Labels, Placement: p}
	if r.Name == "" {
		r.Name = "an instance of " + in.Spec.Image
	}
	if c.class != "" {
		r.Room = a.Supply.room(c)
	}
	node, err := schedule.Choose(a.nodes(in, c, l), r)
	if e, ok := errors.AsType[*api.Error](err); ok && in.Spec.Placement != nil {
		err = e.InField("spec.placement").WithHint("virga node shows the labels of the node; what a group rolls beyond its number counts, so that at most so many on a node need --max-surge 0 --max-unavailable 1")
	}
	return node, err
}

// room is what the ledger has added up.
func (l *ledger) room() (sum spot.Room) {
	for class, c := range l.classes {
		sum = sum.Plus(l.Supply.room(claim{class, c.VCPUs, c.Baseline, c.Memory}))
	}
	return sum
}
