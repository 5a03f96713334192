package proxy

import (
	"context"
	"hash/fnv"
	"math"
	"net/netip"
	"sync/atomic"
	"time"
)

// pool is a Pool at work.
type pool struct {
	Pool
	backends []*backend
	turn     atomic.Uint64
	// arrived is closed when a later Set has replaced this pool.
	replaced chan struct{}
	next     atomic.Pointer[pool] // what it was replaced by, or nil
	metrics  *Metrics
	held     func(pool string) // or nil
}

// ask tells whom it concerns that a request waits for a first backend; again
// after each Set, since the backends there were may have gone meanwhile.
func (p *pool) ask() {
	if p.held != nil {
		p.held(p.Name)
	}
}

// pick chooses the backend with the fewest outstanding requests for its
// weight, of those not in tried; equal ones take turns, and idle ones as often
// as their weights say. An ejected backend is better than a draining one, and
// that than none.
func (p *pool) pick(now time.Time, tried []*backend, sticky string) *backend {
	if sticky != "" {
		for _, b := range p.backends {
			if b.id == sticky && !b.closed.Load() && !b.ejected(now) && !contains(tried, b) {
				return b
			}
		}
	}
	var best *backend
	bestRank, bestLoad, idle := unusable, 0.0, 0.0 // idle are the shares of the best rank's idle ones
	n := len(p.backends)
	if n == 0 {
		return nil
	}
	turn := p.turn.Add(1)
	start := int(turn % uint64(n))
	for i := range n {
		b := p.backends[(start+i)%n]
		rank := b.rank(now, tried)
		if rank > bestRank || rank == unusable {
			continue
		}
		share, under := b.share(now, p.SlowStart), b.outstanding.Load()
		load := float64(under+1) / share
		if rank < bestRank {
			idle = 0
		}
		if rank < bestRank || load < bestLoad {
			best, bestRank, bestLoad = b, rank, load
		}
		if under == 0 {
			idle += share
		}
	}
	if best == nil || best.outstanding.Load() > 0 {
		return best
	}
	// Multiples of the golden ratio's fraction visit all parts of [0, 1) evenly.
	_, at := math.Modf(float64(turn%(1<<32)) * (math.Phi - 1))
	at *= idle
	for _, b := range p.backends {
		if b.outstanding.Load() > 0 || b.rank(now, tried) != bestRank {
			continue
		}
		if at -= b.share(now, p.SlowStart); at < 0 {
			return b
		}
	}
	return best
}

// Ranks of backends for a request; less is better.
const (
	good = iota
	isEjected
	isDraining
	unusable
)

func (b *backend) rank(now time.Time, tried []*backend) int {
	switch {
	case b.closed.Load() && !b.drains.Load(), contains(tried, b):
		return unusable
	case b.drains.Load():
		return isDraining
	case b.ejected(now):
		return isEjected
	}
	return good
}

// of is the backend that a client's address belongs to, of those that get new
// requests; each address ranks all backends in an order of its own (rendezvous
// hashing), so that it moves only when its own backend goes. "" without any.
func (p *pool) of(client netip.Addr, now time.Time) string {
	best, most := "", uint64(0)
	a := client.As16()
	for _, b := range p.backends {
		if b.closed.Load() || b.ejected(now) {
			continue
		}
		h := fnv.New64a()
		h.Write(a[:])
		h.Write([]byte(b.id))
		sum := h.Sum64() * 0x9e3779b97f4a7c15 // spread the last bytes
		if sum ^= sum >> 32; best == "" || sum > most {
			best, most = b.id, sum
		}
	}
	return best
}

func contains(list []*backend, b *backend) bool {
	for _, x := range list {
		if x == b {
			return true
		}
	}
	return false
}

// await blocks until the pool may have a backend: a Set happened, or Hold or
// ctx ended, which is false.
func (p *pool) await(ctx context.Context, until time.Time) bool {
	left := time.Until(until)
	if left <= 0 {
		return false
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-p.replaced:
		return true
	case <-t.C:
		return false
	case <-ctx.Done():
		return false
	}
}
