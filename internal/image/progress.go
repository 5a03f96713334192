package image

import (
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
)

const reportEvery = 200 * time.Millisecond

// progress hands reports on one at a time.
type progress struct {
	mu     sync.Mutex
	report func(api.Progress) // guarded by mu; may be nil
}

func newProgress(report func(api.Progress)) *progress { return &progress{report: report} }

func (p *progress) say(m api.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.report != nil {
		p.report(m)
	}
}

// follow reports how far a reader is, until the function it returns is called.
func (p *progress) follow(id, action string, c *counter, total int64) (stop func()) {
	return p.watch(id, action, c.n.Load, total)
}

// watch reports a figure now and then, until the function it returns is called.
func (p *progress) watch(id, action string, current func() int64, total int64) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				p.say(api.Progress{ID: id, Action: action, Current: current(), Total: total})
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}
