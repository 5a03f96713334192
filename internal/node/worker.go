package node

import (
	"context"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
)

// worker is the agent's side of one instance. It is busy while a goroutine
// works on it, and at most one does; whatever happens meanwhile makes that one
// look again.
type worker struct {
	id string

	// Guarded by Agent.mu.
	busy, again bool
	timer       *time.Timer

	mu     sync.Mutex
	facts  facts              // +checklocks:mu
	life   int                // +checklocks:mu number of the newest life
	done   int                // +checklocks:mu number of the newest life whose end is recorded
	health context.CancelFunc // +checklocks:mu ends the health check, or nil
	asking waiters            // +checklocks:mu who waits for Reconnect

	failures int // actions that failed in a row; the busy goroutine's
}

func (w *worker) snapshot() facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.facts
}

func (w *worker) set(change func(*facts)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.facts)
}

// running returns the number of the life that runs, or false.
func (w *worker) running() (life int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.life, w.facts.alive
}

// disarm is called with Agent.mu held.
func (w *worker) disarm() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// worker returns the instance's worker, made when there is none.
func (a *Agent) worker(id string) *worker {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.workerLocked(id)
}

// +checklocks:a.mu
func (a *Agent) workerLocked(id string) *worker {
	w, ok := a.workers[id]
	if !ok {
		w = &worker{id: id}
		a.workers[id] = w
	}
	return w
}

// kick makes the instance's worker look at it now.
func (a *Agent) kick(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	w := a.workerLocked(id)
	w.disarm()
	if w.busy {
		w.again = true
		return
	}
	w.busy = true
	a.wg.Go(func() { a.work(w) })
}

// work takes steps until there is nothing to do.
func (a *Agent) work(w *worker) {
	a.slots <- struct{}{}
	defer func() { <-a.slots }()
	// An action that has begun is finished even when the daemon is to end.
	ctx := context.WithoutCancel(a.events)
	for {
		wake, gone := a.advance(ctx, w)
		if a.rest(w, wake, gone) {
			return
		}
	}
}

// rest lets the worker sleep until wake, unless it was kicked meanwhile. The
// worker of an instance that is gone is forgotten.
func (a *Agent) rest(w *worker, wake time.Time, gone bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.again && !a.closed {
		w.again = false
		return false
	}
	w.busy = false
	if gone {
		delete(a.workers, w.id)
		return true
	}
	if !wake.IsZero() && !a.closed {
		w.timer = time.AfterFunc(time.Until(wake), func() { a.kick(w.id) })
	}
	return true
}

// advance takes steps until one says to wait. gone says that the instance no
// longer exists.
func (a *Agent) advance(ctx context.Context, w *worker) (wake time.Time, gone bool) {
	var asking waiters
	defer func() { asking.answer(nil) }()
	for a.events.Err() == nil {
		asking = append(asking, w.askers()...) // before the object is read
		in, err := a.Store.Instances.View(w.id)
		if err == nil && in.Node != a.Name {
			return time.Time{}, true
		}
		if api.CodeOf(err) == api.CodeNotFound {
			return a.abandon(ctx, w)
		}
		var d decision
		if err == nil {
			d = step(in, w.snapshot(), time.Now())
			if d.do == actNone {
				w.failures = 0
				return d.wake, false
			}
			err = a.perform(ctx, w, in, d.do)
			if d.do == actConnect {
				asking.answer(err)
				asking, err = nil, nil // it is tried again when the spec changes
			}
		}
		if err != nil {
			w.failures++
			retry := backoff(w.failures)
			a.Log.Error("instance is not as desired", "instance", w.id, "action", d.do, "error", err, "retry", retry)
			return time.Now().Add(retry), false
		}
	}
	return time.Time{}, false
}

// perform does one action. in is the store's own object and is not changed.
func (a *Agent) perform(ctx context.Context, w *worker, in *api.Instance, do action) error {
	switch do {
	case actStart:
		return a.start(ctx, w, in, nil)
	case actStop:
		return a.sendStop(ctx, w, in)
	case actKill:
		return a.kill(ctx, w, in)
	case actPause, actUnpause:
		return a.pause(ctx, w, in, do == actPause)
	case actUpdate:
		return a.update(ctx, w, in)
	case actConnect:
		return a.reconnect(ctx, w, in)
	case actSettle:
		return a.settle(ctx, w, in)
	case actForget:
		return a.forget(ctx, w)
	case actRest:
		return a.restNow(ctx, w, in)
	case actRemove:
		return a.remove(ctx, w, in)
	case actWait:
		return a.wait(in)
	case actTell:
		return a.tell(ctx, in)
	}
	return nil
}

// abandon ends what runs of an instance that has no object.
func (a *Agent) abandon(ctx context.Context, w *worker) (wake time.Time, gone bool) {
	life, alive := w.running()
	if alive {
		if err := a.Engine.Kill(ctx, w.id); err != nil {
			a.Log.Error("kill an instance without an object", "instance", w.id, "error", err)
		}
		return time.Time{}, false // its exit brings us back
	}
	if life > 0 {
		if err := a.discard(ctx, w.id, life); err != nil {
			a.Log.Error("remove an instance without an object", "instance", w.id, "error", err)
			return time.Now().Add(maxBackoff), false
		}
	}
	return time.Time{}, true
}
