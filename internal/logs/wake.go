package logs

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// watcher waits for something to happen in a log's directory.
type watcher struct {
	f *os.File // an inotify descriptor, or nil where there are too many
}

// pollEvery is how often a log is looked at that cannot be watched.
const pollEvery = 200 * time.Millisecond

func watch(path string) *watcher {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return &watcher{}
	}
	const events = syscall.IN_MODIFY | syscall.IN_CREATE | syscall.IN_MOVED_TO | syscall.IN_ONLYDIR
	if _, err := syscall.InotifyAddWatch(fd, filepath.Dir(path), events); err != nil {
		syscall.Close(fd)
		return &watcher{}
	}
	return &watcher{os.NewFile(uintptr(fd), "inotify")}
}

// wait returns when the log may have changed, or done is closed, or ctx ends.
// A change between the caller's look at the log and the wait is not missed:
// its event is there already.
func (w *watcher) wait(ctx context.Context, done <-chan struct{}) {
	if w.f == nil {
		timer := time.NewTimer(pollEvery)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-done:
		case <-ctx.Done():
		}
		return
	}
	_ = w.f.SetReadDeadline(time.Time{})
	awake := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-done:
		case <-ctx.Done():
		case <-awake:
			return
		}
		_ = w.f.SetReadDeadline(time.Unix(1, 0))
	}()
	var events [4096]byte
	_, _ = w.f.Read(events[:])
	close(awake)
	<-stopped
}

func (w *watcher) close() {
	if w.f != nil {
		w.f.Close()
	}
}
