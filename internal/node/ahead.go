package node

import (
	"context"

	"github.com/virga-cloud/virga/api"
)

// errNotStored ends a start that was begun ahead of an object which did not come to be.
var errNotStored = api.Errorf(api.CodeUnavailable, "the instance was not stored")

// storing is an object on its way to the disk.
type storing struct {
	done chan struct{} // closed when it is known whether it arrived
	ok   bool          // it did; set before done is closed
}

// wait returns when the object is stored, with errNotStored when it is not. Nil
// stands for one that has been all along.
func (s *storing) wait() error {
	if s == nil {
		return nil
	}
	<-s.done
	if !s.ok {
		return errNotStored
	}
	return nil
}

// Ahead begins the first life of an instance that is about to be stored, while
// the disk works: everything up to the moment where the workload would run, but
// for what leaves a trace in the store. The caller says, once, whether it was
// stored. What was made for one that was not is given back; what a crash leaves
// of it has no owner and is collected. in is not changed any more.
func (a *Agent) Ahead(in *api.Instance) (stored func(ok bool)) {
	select {
	case <-a.adopted:
	default:
		return func(bool) {}
	}
	s := &storing{done: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return func(bool) {}
	}
	w := a.workerLocked(in.ID)
	w.busy = true // from here on it owns what is made for it
	a.wg.Go(func() {
		a.startAhead(context.WithoutCancel(a.events), w, in, s)
		a.work(w)
	})
	return func(ok bool) { s.ok = ok; close(s.done) }
}

// startAhead is the first action of a worker whose instance is not stored yet.
func (a *Agent) startAhead(ctx context.Context, w *worker, in *api.Instance, s *storing) {
	a.slots <- struct{}{}
	defer func() { <-a.slots }()
	err := a.start(ctx, w, in, s)
	switch {
	case s.wait() != nil:
		w.mu.Lock()
		w.life, w.facts = 0, facts{}
		w.mu.Unlock()
		if err := a.discard(ctx, in.ID, 0); err != nil {
			a.Log.Error("give back what was made for an instance that was not stored", "instance", in.ID, "error", err)
		}
	case err != nil: // work tries again
		a.Log.Error("instance is not as desired", "instance", in.ID, "action", actStart, "error", err)
	}
}
