package alarm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/host"
)

// Group is what an Alarm follows.
type Group struct {
	Dir   string        // its directory in the unified hierarchy
	Every time.Duration // of its running time on the Alarm's CPU
}

// Alarm is one CPU's. Its methods may be called concurrently.
type Alarm struct {
	cpu  int
	wake int // an eventfd: the groups have changed
	over chan struct{}
	tid  int // of the thread

	mu       sync.Mutex
	counters map[Group]*counter // +checklocks:mu

	told    sync.Mutex
	changed *sync.Cond
	fds     []unix.PollFd // +checklocks:told what is to be polled
	version int           // +checklocks:told of fds; -1 ends the thread
	polled  int           // +checklocks:told the version that the thread polls
}

// New starts the thread of a CPU. The caller closes it.
func New(cpu int) (*Alarm, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	a := &Alarm{cpu: cpu, wake: wake, over: make(chan struct{}), counters: map[Group]*counter{}}
	a.changed = sync.NewCond(&a.told)
	a.fds = a.list()
	ready := make(chan error)
	go func() {
		err := host.Prompt(cpu)
		a.tid = unix.Gettid()
		ready <- err
		if err == nil {
			a.run()
		}
		close(a.over)
	}()
	if err := <-ready; err != nil {
		_ = unix.Close(wake)
		return nil, err
	}
	return a, nil
}

// Set says what to follow. Groups that cannot be followed, or do not exist any
// more, are in the error; the others are followed all the same.
func (a *Alarm) Set(groups []Group) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	want := map[Group]bool{}
	var errs []error
	changed := false
	for _, g := range groups {
		want[g] = true
		if a.counters[g] != nil {
			continue
		}
		c, err := open(g, a.cpu)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.counters[g], changed = c, true
	}
	var gone []*counter
	for g, c := range a.counters {
		if !want[g] {
			gone = append(gone, c)
			delete(a.counters, g)
		}
	}
	if changed || len(gone) > 0 {
		a.tell(a.list())
	}
	for _, c := range gone {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// list is what to poll. Nothing is asked of the counters: that they wake the
// thread is all they are for.
func (a *Alarm) list() []unix.PollFd {
	fds := []unix.PollFd{{Fd: int32(a.wake), Events: unix.POLLIN}}
	for _, c := range a.counters {
		fds = append(fds, unix.PollFd{Fd: int32(c.fd)})
	}
	return fds
}

// tell has the thread poll a new list, nil to end, and waits until it does not
// poll the old one.
func (a *Alarm) tell(fds []unix.PollFd) {
	a.told.Lock()
	defer a.told.Unlock()
	a.fds = fds
	a.version++
	for one := []byte{7: 1}; ; {
		if _, err := unix.Write(a.wake, one); err != unix.EINTR {
			break
		}
	}
	for a.polled != a.version {
		a.changed.Wait()
	}
}

// next is the list to poll.
func (a *Alarm) next() []unix.PollFd {
	a.told.Lock()
	defer a.told.Unlock()
	var b [8]byte
	_, _ = unix.Read(a.wake, b[:]) // of version a.version or an older one
	a.polled = a.version
	a.changed.Broadcast()
	return a.fds
}

// run is the thread.
func (a *Alarm) run() {
	fds := a.next()
	for fds != nil {
		n, err := unix.Poll(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 || fds[0].Revents != 0 {
			fds = a.next()
			continue
		}
		// A counter that has something to tell after all is broken: it would
		// keep the thread from sleeping.
		for i := len(fds) - 1; i > 0; i-- {
			if fds[i].Revents != 0 {
				fds = append(fds[:i], fds[i+1:]...)
			}
		}
	}
}

// Close ends the thread.
func (a *Alarm) Close() error {
	err := a.Set(nil)
	a.tell(nil)
	<-a.over
	return errors.Join(err, unix.Close(a.wake))
}

// Supported says why groups below a directory of the unified hierarchy cannot be
// followed, nil when they can.
func Supported(dir string) error {
	if dir == "" {
		return errors.New("no unified hierarchy of control groups")
	}
	c, err := open(Group{Dir: dir, Every: time.Second}, 0)
	if err != nil {
		return err
	}
	return c.close()
}

// counter counts how long a group has run on a CPU.
type counter struct {
	fd   int
	ring []byte // without one the kernel wakes nobody
}

func open(g Group, cpu int) (*counter, error) {
	dir, err := os.Open(g.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: unix.PERF_ATTR_SIZE_VER5,
		Sample: uint64(g.Every), Wakeup: 1,
	}
	fd, err := unix.PerfEventOpen(&attr, int(dir.Fd()), cpu, -1, unix.PERF_FLAG_PID_CGROUP|unix.PERF_FLAG_FD_CLOEXEC)
	runtime.KeepAlive(dir)
	if err != nil {
		return nil, fmt.Errorf("count what %s runs on CPU %d: %w", g.Dir, cpu, err)
	}
	// Read-only: the kernel overwrites what nobody reads.
	ring, err := unix.Mmap(fd, 0, 2*os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("map the counter of %s on CPU %d: %w", g.Dir, cpu, err)
	}
	return &counter{fd, ring}, nil
}

func (c *counter) close() error { return errors.Join(unix.Munmap(c.ring), unix.Close(c.fd)) }
