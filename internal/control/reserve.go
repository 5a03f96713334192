package control

import (
	"sync"

	"github.com/virga-cloud/virga/api"
)

// promises are claims that have been let in and are about to be stored. Until
// the store has them, they count beside what is stored.
type promises struct {
	mu     sync.Mutex
	claims map[int64]promise // +checklocks:mu
	last   int64             // +checklocks:mu
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
	return a.Supply.claimOf(in)
}

// Holds reports whether an instance has a claim on the node: it runs, or a
// start of it is under way.
func Holds(i *api.Instance) bool {
	return !i.Status.Phase.Ended() || i.Desired.State != api.DesiredStopped && i.Status.Life < i.Desired.Life
}

// reserve checks that the node has room for an instance and keeps it from
// others until release is called, when the store knows of it. An instance that
// does not run takes nothing, but must be one that the node could hold.
func (a *Admission) reserve(in *api.Instance) (release func(), err error) {
	c := a.Supply.claimOf(in)
	if empty := newLedger(a.Supply); empty.lacks(c) != nil {
		return nil, a.explain(empty, c)
	}
	if !Holds(in) || c.vcpus == 0 && c.memory == 0 {
		return func() {}, nil
	}
	p := &a.promises
	p.mu.Lock()
	defer p.mu.Unlock()
	l := a.ledger(in.ID)
	if l.lacks(c) != nil {
		return nil, a.explain(l, c)
	}
	if p.claims == nil {
		p.claims = map[int64]promise{}
	}
	p.last++
	ticket := p.last
	p.claims[ticket] = promise{in.ID, c}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.claims, ticket)
	}, nil
}

// explain says what is short for c, and what would fit.
func (a *Admission) explain(l *ledger, c claim) *api.Error {
	e := l.lacks(c)
	if c.class != api.FamilyCustom {
		e = e.InField("spec.type")
	}
	const see = "virga capacity shows the arithmetic"
	t, ok := l.fits(a.Types.List(), c.class)
	switch {
	case !ok:
		return e.WithHint("stop an instance; " + see)
	case c.class == api.FamilyCustom:
		return e.WithHint("ask for less; the largest type that fits is %s; "+see, t.Name)
	}
	return e.WithHint("the largest type that fits is %s; "+see, t.Name)
}

// ledger adds up what is stored and promised, but for one instance. Of an
// instance with a promise the larger of both counts: the promise may be of a
// smaller size and still fail to be stored.
//
// +checklocks:a.promises.mu
func (a *Admission) ledger(except string) *ledger {
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
		if c := a.held(in); c.class != "" {
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
	r := a.ledger("").report()
	a.promises.mu.Unlock()
	r.Used = used
	return r
}
