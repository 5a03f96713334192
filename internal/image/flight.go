package image

import (
	"context"
	"sync"
)

// flights lets one goroutine at a time work on a key, so that transfers which
// need the same layer do its work once: the second finds it done.
type flights struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // guarded by mu; closed when the key is free
}

// board waits until the key is free and takes it. The caller must call the
// function it gets.
func (f *flights) board(ctx context.Context, key string) (leave func(), err error) {
	for {
		f.mu.Lock()
		wait, taken := f.busy[key]
		if !taken {
			if f.busy == nil {
				f.busy = make(map[string]chan struct{})
			}
			done := make(chan struct{})
			f.busy[key] = done
			f.mu.Unlock()
			return func() {
				f.mu.Lock()
				delete(f.busy, key)
				f.mu.Unlock()
				close(done)
			}, nil
		}
		f.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
