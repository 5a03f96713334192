package proxy

import (
	"context"
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
	metrics  *Metrics
}

// pick chooses the backend with the fewest outstanding requests for its
// weight, of those not in tried; equal ones take turns. An ejected backend is
// better than a draining one, and that than none.
func (p *pool) pick(now time.Time, tried []*backend, sticky string) *backend {
	if sticky != "" {
		for _, b := range p.backends {
			if b.id == sticky && !b.closed.Load() && !b.ejected(now) && !contains(tried, b) {
				return b
			}
		}
	}
	var best *backend
	bestRank, bestLoad := 3, 0.0
	n := len(p.backends)
	start := 0
	if n > 0 {
		start = int(p.turn.Add(1) % uint64(n))
	}
	for i := range n {
		b := p.backends[(start+i)%n]
		rank := 0
		switch {
		case b.closed.Load() && !b.drains.Load(), contains(tried, b):
			continue
		case b.drains.Load():
			rank = 2
		case b.ejected(now):
			rank = 1
		}
		load := float64(b.outstanding.Load()+1) / max(b.share(now, p.SlowStart), 1e-6)
		if rank < bestRank || rank == bestRank && load < bestLoad {
			best, bestRank, bestLoad = b, rank, load
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
