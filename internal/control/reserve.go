package control

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/virga-cloud/virga/api"
)

// promises are claims that have been let in and are about to be stored. Until
// the store has them, they count beside what is stored.
type promises struct {
	mu     sync.Mutex
	claims map[int64]promise        // +checklocks:mu
	placed map[string]*api.Instance // +checklocks:mu by id: bound to a node, about to be stored
	disks  map[int64]diskPromise    // +checklocks:mu
	last   int64                    // +checklocks:mu
}

type promise struct {
	instance string
	claim    claim
}

// held is what an instance takes of the node now; zero when nothing.
func (a *Admission) held(in *api.Instance) claim {
	if !Holds(in) {
		return claim{}
	}
	c := a.Supply.claimOf(in)
	if frozen(in) {
		return remains(c, api.InterruptHibernate)
	}
	return c
}

// Holds reports whether an instance has a claim on the node: it runs, or a
// start of it is under way.
func Holds(i *api.Instance) bool {
	return !i.Status.Phase.Ended() || i.Desired.State != api.DesiredStopped && i.Status.Life < i.Desired.Life
}

// reserve checks that the node has room for an instance and keeps it from
// others until release is called, when the store knows of it. One that is bound
// to no node yet is bound to the one that the scheduler chooses. An instance
// that does not run takes nothing, but must be one that the node could hold.
//
// waits says that there is room but that spot instances have it: an on-demand
// one must wait until they have left.
func (a *Admission) reserve(in *api.Instance) (release func(), waits bool, err error) {
	c := a.Supply.claimOf(in)
	if empty := newLedger(a.Supply); empty.lacks(c) != nil {
		return nil, false, a.explain(empty, c)
	}
	if !Holds(in) || c.vcpus == 0 && c.memory == 0 {
		c = claim{}
	}
	fresh := in.Node == ""
	if !fresh && c.class == "" {
		return func() {}, false, nil
	}
	p := &a.promises
	p.mu.Lock()
	defer p.mu.Unlock()
	if fresh {
		waits, err = a.place(in, c)
	} else {
		waits, err = a.fits(in, c)
	}
	if err != nil {
		return nil, false, err
	}
	return p.keep(in, c, fresh), waits, nil
}

// fits checks that an instance has room on its node.
//
// +checklocks:a.promises.mu
func (a *Admission) fits(in *api.Instance, c claim) (waits bool, err error) {
	l := a.ledger(in.ID, true)
	if l.lacks(c) == nil {
		return false, nil
	}
	if in.Spec.Spot != nil || a.ledger(in.ID, false).lacks(c) != nil {
		return false, a.explain(l, c)
	}
	return true, nil
}

// keep makes a promise of a claim, and of the place of an instance that is
// fresh. It stands until release is called.
//
// +checklocks:p.mu
func (p *promises) keep(in *api.Instance, c claim, fresh bool) (release func()) {
	if p.claims == nil {
		p.claims, p.placed = map[int64]promise{}, map[string]*api.Instance{}
	}
	p.last++
	ticket, id := p.last, in.ID
	if c.class != "" {
		p.claims[ticket] = promise{id, c}
	}
	if fresh {
		p.placed[id] = &api.Instance{Meta: api.Meta{Project: in.Project, Labels: in.Labels}, Group: in.Group}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.claims, ticket)
		if fresh {
			delete(p.placed, id)
		}
	}
}

// Admit lets an instance start that has waited for room, when there is some.
// It returns false when there is none yet.
func (a *Admission) Admit(ctx context.Context, id string) (bool, error) {
	in, err := a.Store.Instances.ByID(id)
	if err != nil || in.Desired.Waits == nil {
		return false, err
	}
	a.promises.mu.Lock()
	room := a.settled(&in)
	a.promises.mu.Unlock()
	if !room {
		return false, nil
	}
	// Its claim stands in the ledger already: nobody takes the room meanwhile.
	_, err = a.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
		i.Desired.Waits = nil
		return nil
	})
	return err == nil, err
}

// settled reports whether there is room for an instance beside all that do not
// wait behind it.
//
// +checklocks:a.promises.mu
func (a *Admission) settled(in *api.Instance) bool {
	l := newLedger(a.Supply)
	for _, o := range a.Store.Instances.Views() {
		later := o.Desired.Waits != nil && cmp.Or(o.Desired.Waits.Since.Compare(in.Desired.Waits.Since), cmp.Compare(o.ID, in.ID)) > 0
		if o.ID == in.ID || o.Node != a.Node || later {
			continue
		}
		if c := a.held(o); c.class != "" {
			l.add(c)
		}
	}
	for _, p := range a.promises.claims {
		if p.instance != in.ID {
			if _, err := a.Store.Instances.View(p.instance); err != nil {
				l.add(p.claim) // it is about to be stored
			}
		}
	}
	return l.lacks(a.Supply.claimOf(in)) == nil
}

// explain says what is short for c, and what would fit.
func (a *Admission) explain(l *ledger, c claim) *api.Error {
	e := l.lacks(c)
	if c.class != api.FamilyCustom {
		e = e.InField("spec.type")
	}
	const see = "virga capacity shows the arithmetic"
	if reclaimable := l.spot; reclaimable > 0 {
		e.Message += fmt.Sprintf(" beside %d spot instances", reclaimable)
	}
	t, ok := l.fits(a.Types.List(), c.class)
	switch {
	case !ok:
		return e.WithHint("stop an instance; " + see)
	case c.class == api.FamilyCustom:
		return e.WithHint("ask for less; the largest type that fits is %s; "+see, t.Name)
	}
	return e.WithHint("the largest type that fits is %s; "+see, t.Name)
}

// ledger adds up what is stored and promised, but for one instance and, unless
// spot is set, for what spot instances would give back. Of an
// instance with a promise the larger of both counts: the promise may be of a
// smaller size and still fail to be stored.
//
// +checklocks:a.promises.mu
func (a *Admission) ledger(except string, spot bool) *ledger {
	l := newLedger(a.Supply)
	promised := map[string]claim{}
	for _, p := range a.promises.claims {
		if p.instance != except {
			promised[p.instance] = p.claim.or(promised[p.instance])
		}
	}
	for _, in := range a.Store.Instances.Views() {
		if in.ID == except || in.Node != a.Node {
			continue
		}
		c := a.held(in)
		if in.Spec.Spot != nil && c.class != "" {
			l.spot++
			if !spot {
				delete(promised, in.ID)
				c = remains(c, in.Spec.Spot.Interruption)
			}
		}
		if c.class != "" {
			p, both := promised[in.ID]
			delete(promised, in.ID)
			switch {
			case !both, p.class == c.class:
				c = c.or(p)
			default:
				l.add(p)
			}
			l.add(c)
		}
	}
	for _, c := range promised {
		l.add(c)
	}
	return l
}

// or is the larger of each part of two claims.
func (c claim) or(d claim) claim {
	if c.class == "" {
		return d
	}
	return claim{c.class, max(c.vcpus, d.vcpus), max(c.baseline, d.baseline), max(c.memory, d.memory)}
}

// Capacity is the node's arithmetic at this moment. used is what was measured.
func (a *Admission) Capacity(used api.Amount) api.NodeCapacity {
	a.promises.mu.Lock()
	r := a.ledger("", true).report()
	r.Disk.Layers, r.Disk.Volumes, _ = a.disks("")
	a.promises.mu.Unlock()
	r.Disk.Overcommit = a.Supply.diskOvercommit()
	r.Allocated.Disk = plus(r.Disk.Layers, r.Disk.Volumes)
	r.Free.Disk = a.Supply.freeDisk(r.Allocated.Disk)
	r.Used = used
	return r
}
