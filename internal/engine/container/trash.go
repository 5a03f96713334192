package container

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// trash deletes directories in the background: taking a writable layer apart
// costs far more than renaming it.
type trash struct {
	dir string
	log *slog.Logger
	wg  sync.WaitGroup

	mu     sync.Mutex
	full   bool // something waits to be deleted; guarded by mu
	busy   bool // a goroutine deletes; guarded by mu
	closed bool // guarded by mu
	next   int  // guarded by mu
}

func newTrash(dir string, log *slog.Logger) *trash {
	t := &trash{dir: dir, log: log}
	t.empty() // what an earlier daemon left
	return t
}

// put takes a directory away. Idempotent.
func (t *trash) put(dir string) error {
	t.mu.Lock()
	t.next++
	name := strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.Itoa(t.next)
	t.mu.Unlock()
	err := os.Rename(dir, filepath.Join(t.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return os.RemoveAll(dir)
	}
	t.empty()
	return nil
}

// empty deletes what is in the trash, soon.
func (t *trash) empty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.full = true
	if t.busy || t.closed {
		return
	}
	t.busy = true
	t.wg.Go(t.work)
}

func (t *trash) work() {
	for t.more() {
		entries, err := os.ReadDir(t.dir)
		for _, e := range entries {
			if err = os.RemoveAll(filepath.Join(t.dir, e.Name())); err != nil {
				break
			}
		}
		if err != nil {
			t.log.Error("empty trash", "dir", t.dir, "error", err)
		}
	}
}

// more says whether something was put in since it was last asked.
func (t *trash) more() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.full || t.closed {
		t.busy = false
		return false
	}
	t.full = false
	return true
}

// close waits for the deletion that is going on.
func (t *trash) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.wg.Wait()
}
