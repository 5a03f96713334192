package store

import (
	"context"
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// compactEvery is how many changes etcd keeps the old values of. Nobody reads
// them, so they are dropped by the number of writes, not by time: a busy node
// writes gigabytes of them in minutes.
const compactEvery = 5000

// compactor drops old values as new ones are written.
type compactor struct {
	last    atomic.Int64 // newest revision
	due     chan struct{}
	done    atomic.Int64 // revision of the last compaction
	cancel  context.CancelFunc
	working sync.WaitGroup
}

func (c *compactor) start(e *etcd) {
	ctx, cancel := context.WithCancel(e.broken)
	c.due, c.cancel = make(chan struct{}, 1), cancel
	c.working.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.due:
			}
			rev := c.last.Load()
			if _, err := e.server.Compact(ctx, &pb.CompactionRequest{Revision: rev}); err == nil {
				c.done.Store(rev)
			}
		}
	})
}

// wrote is told each new revision.
func (c *compactor) wrote(rev int64) {
	c.last.Store(rev)
	if rev-c.done.Load() < compactEvery {
		return
	}
	select {
	case c.due <- struct{}{}:
	default: // it is at work
	}
}

func (c *compactor) stop() {
	if c.cancel != nil {
		c.cancel()
	}
	c.working.Wait()
}
