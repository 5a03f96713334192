package cgroup

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Turn is for how long a group with a quota of that many vCPUs may run in each
// of its periods, on all CPUs together.
func Turn(vcpus float64) (turn, of time.Duration) {
	q, p := quota(vcpus)
	return time.Duration(q) * time.Microsecond, time.Duration(p) * time.Microsecond
}

// ID is the kernel's number of the group, which none has that was there before
// it with the same name. The error satisfies Gone when there is no group.
func (g *Group) ID() (uint64, error) {
	var s unix.Stat_t
	if err := unix.Stat(g.unified(), &s); err != nil {
		return 0, fmt.Errorf("look at the group %s: %w", g.unified(), err)
	}
	return s.Ino, nil
}
