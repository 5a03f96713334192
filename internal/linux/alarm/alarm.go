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
	Dir string // its directory in the unified hierarchy
	// ID tells it from one that had the directory before.
	ID    uint64
	Every time.Duration // of its running time on the Alarm's CPU
}

// Alarm is one CPU's. Its methods may be called concurrently.
type Alarm struct {
	cpu  int
	ring *ring
	end  int // an eventfd: the thread is to end
	over chan struct{}
	tid  int // of the thread

	mu       sync.Mutex
	counters map[Group]int // +checklocks:mu their file descriptors
}

// New starts the thread of a CPU. The caller closes it.
func New(cpu int) (*Alarm, error) {
	r, err := newRing(cpu)
	if err != nil {
		return nil, err
	}
	end, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("eventfd: %w", err), r.close())
	}
	a := &Alarm{cpu: cpu, ring: r, end: end, over: make(chan struct{}), counters: map[Group]int{}}
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
		return nil, errors.Join(err, unix.Close(end), r.close())
	}
	return a, nil
}

// run is the thread. Nothing is asked of the ring: that it wakes the thread is
// all it is for.
func (a *Alarm) run() {
	fds := []unix.PollFd{{Fd: int32(a.end), Events: unix.POLLIN}, {Fd: int32(a.ring.fd)}}
	for fds[0].Revents == 0 {
		_, err := unix.Poll(fds, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		if len(fds) > 1 && fds[1].Revents != 0 {
			fds = fds[:1] // one that has something to tell after all is broken
		}
	}
}

// Set says what to follow. Groups that cannot be followed, or do not exist any
// more, are in the error; the others are followed all the same.
func (a *Alarm) Set(groups []Group) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	want := map[Group]bool{}
	var errs []error
	for _, g := range groups {
		want[g] = true
		if _, ok := a.counters[g]; ok {
			continue
		}
		fd, err := count(g, a.cpu, a.ring)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.counters[g] = fd
	}
	for g, fd := range a.counters {
		if !want[g] {
			errs = append(errs, unix.Close(fd))
			delete(a.counters, g)
		}
	}
	return errors.Join(errs...)
}

// Close ends the thread.
func (a *Alarm) Close() error {
	err := a.Set(nil)
	one := []byte{7: 1}
	for {
		if _, err := unix.Write(a.end, one); err != unix.EINTR {
			break
		}
	}
	<-a.over
	return errors.Join(err, unix.Close(a.end), a.ring.close())
}

// Supported says why groups below a directory of the unified hierarchy cannot be
// followed, nil when they can.
func Supported(dir string) error {
	if dir == "" {
		return errors.New("no unified hierarchy of control groups")
	}
	r, err := newRing(0)
	if err != nil {
		return err
	}
	fd, err := count(Group{Dir: dir, Every: time.Second}, 0, r)
	if err == nil {
		err = unix.Close(fd)
	}
	return errors.Join(err, r.close())
}

// count opens a counter of how long a group has run on a CPU, which wakes those
// that poll a ring.
func count(g Group, cpu int, r *ring) (fd int, err error) {
	dir, err := os.Open(g.Dir)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: unix.PERF_ATTR_SIZE_VER5,
		Sample: uint64(g.Every), Wakeup: 1,
	}
	fd, err = unix.PerfEventOpen(&attr, int(dir.Fd()), cpu, -1, unix.PERF_FLAG_PID_CGROUP|unix.PERF_FLAG_FD_CLOEXEC)
	runtime.KeepAlive(dir)
	if err == nil {
		if err = unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_OUTPUT, r.fd); err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("count what %s runs on CPU %d: %w", g.Dir, cpu, err)
	}
	return fd, nil
}
