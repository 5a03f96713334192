package container

import (
	"os"
	"sync"
	"time"
)

// closeDelay is how long files wait to be closed with others.
const closeDelay = 200 * time.Millisecond

// closer closes files that hold mounts, in the background and many at a time.
// The last close of a mount takes it apart: that waits until no CPU can see it
// any more, and of an overlay until the file system below it is synced. Whoever
// ends a life need not wait for either, and of many overlays that go together
// only the first finds anything to sync.
type closer struct {
	wg   sync.WaitGroup
	stop chan struct{}

	closing sync.Mutex // held while files are closed

	mu    sync.Mutex
	files []*os.File // guarded by mu
	busy  bool       // a goroutine waits to close them; guarded by mu
}

func newCloser() *closer { return &closer{stop: make(chan struct{})} }

// put takes over files; nil ones are nothing.
func (c *closer) put(files ...*os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range files {
		if f != nil {
			c.files = append(c.files, f)
		}
	}
	if c.busy || len(c.files) == 0 {
		return
	}
	c.busy = true
	c.wg.Go(c.work)
}

func (c *closer) work() {
	for {
		select {
		case <-c.stop:
		case <-time.After(closeDelay):
		}
		c.flush()
		c.mu.Lock()
		if len(c.files) == 0 {
			c.busy = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// flush closes what has been put until now, and returns when it is closed.
func (c *closer) flush() {
	c.closing.Lock()
	defer c.closing.Unlock()
	c.mu.Lock()
	files := c.files
	c.files = nil
	c.mu.Unlock()
	for _, f := range files {
		f.Close()
	}
}

// Flush returns when nothing of the lives that have ended holds their roots.
func (e *Engine) Flush() { e.closer.flush() }

// close closes everything. Nothing is put any more.
func (c *closer) close() {
	close(c.stop)
	c.wg.Wait()
}
