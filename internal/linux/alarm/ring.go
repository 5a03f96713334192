package alarm

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ring is where the counters of a CPU write to: without one the kernel wakes
// nobody. It belongs to an event that never happens, so that one file descriptor
// stands for all counters.
type ring struct {
	fd  int
	mem []byte
}

func newRing(cpu int) (*ring, error) {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Size: unix.PERF_ATTR_SIZE_VER5}
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("event of CPU %d: %w", cpu, err)
	}
	// A page about it and one of its own, read-only: the kernel overwrites what
	// nobody reads.
	mem, err := unix.Mmap(fd, 0, 2*os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("map the event of CPU %d: %w", cpu, err)
	}
	return &ring{fd, mem}, nil
}

func (r *ring) close() error { return errors.Join(unix.Munmap(r.mem), unix.Close(r.fd)) }
