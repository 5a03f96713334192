package network

import (
	"net/netip"
	"slices"
	"sync"
)

// warm keeps places on one network ready, so that an instance's start finds
// its network made. One goroutine fills it; a start that finds it empty makes
// its own.
type warm struct {
	f       *Fabric
	segment *segment
	size    int

	wake chan struct{} // room for one
	stop chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	ready []*place // +checklocks:mu
}

func newWarm(f *Fabric, s *segment, size int) *warm {
	w := &warm{f: f, segment: s, size: size, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	w.done.Go(w.fill)
	w.refill()
	return w
}

// take returns a ready place, or nil. One that has the wanted address is
// preferred; prefer may be the zero value.
func (w *warm) take(prefer netip.Addr) *place {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.refill()
	if len(w.ready) == 0 {
		return nil
	}
	last := len(w.ready) - 1
	for i, p := range w.ready {
		if p.ports[0].addr == prefer {
			w.ready[i], w.ready[last] = w.ready[last], p
			break
		}
	}
	p := w.ready[last]
	w.ready = w.ready[:last]
	return p
}

// evict lets the ready place that has an address go; the address is then the
// caller's. False when there is none.
func (w *warm) evict(addr netip.Addr) bool {
	w.mu.Lock()
	i := slices.IndexFunc(w.ready, func(p *place) bool { return p.ports[0].addr == addr })
	if i < 0 {
		w.mu.Unlock()
		return false
	}
	p := w.ready[i]
	w.ready = slices.Delete(w.ready, i, i+1)
	w.mu.Unlock()
	w.refill()
	if err := w.f.discard(p); err != nil {
		w.f.config.Log.Warn("ready sandbox was not closed", "err", err)
	}
	return true
}

func (w *warm) refill() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// fill runs until stop is closed.
func (w *warm) fill() {
	for {
		select {
		case <-w.stop:
			return
		case <-w.wake:
		}
		for w.short() {
			p, err := w.make()
			if err != nil {
				// The next take wakes the filling again.
				w.f.config.Log.Warn("ready sandboxes cannot be made", "err", err)
				break
			}
			w.mu.Lock()
			w.ready = append(w.ready, p)
			w.mu.Unlock()
		}
	}
}

// short says whether another place is to be made now.
func (w *warm) short() bool {
	select {
	case <-w.stop:
		return false
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ready) < w.size
}

func (w *warm) make() (*place, error) {
	addr, err := w.f.address(w.segment)
	if err != nil {
		return nil, err
	}
	p, err := w.f.newPlace(true, nil, []want{{segment: w.segment, addr: addr}})
	if err != nil {
		w.f.free(w.segment, addr)
		return nil, err
	}
	return p, nil
}

// close stops the filling and lets the ready places go.
func (w *warm) close() {
	close(w.stop)
	w.done.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.ready {
		if err := w.f.discard(p); err != nil {
			w.f.config.Log.Warn("ready sandbox was not closed", "err", err)
		}
	}
	w.ready = nil
}
