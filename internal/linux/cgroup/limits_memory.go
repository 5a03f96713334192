package cgroup

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// memory orders the two limits of version 1 so that the one on memory never
// exceeds the one on memory and swap, whichever way they move.
func (g *Group) memory(l Limits) []setting {
	number := func(n int64, none string) string {
		if n <= 0 {
			return none
		}
		return fmt.Sprint(n)
	}
	d := g.v1("memory")
	if d == "" {
		d = g.unified()
		s := []setting{{d, "memory.max", number(l.Memory, "max"), "max", "memory"}}
		swap := "0"
		switch {
		case l.MemorySwap < 0 || l.Memory <= 0:
			swap = "max"
		case l.MemorySwap > l.Memory:
			swap = fmt.Sprint(l.MemorySwap - l.Memory)
		}
		s = append(s, setting{d, "memory.swap.max", swap, "max", ""})
		return append(s, setting{d, "memory.low", number(l.MemoryReservation, "0"), "0", "memory reservation"})
	}
	both := l.MemorySwap
	if both == 0 {
		both = l.Memory
	}
	memory := setting{d, "memory.limit_in_bytes", number(l.Memory, "-1"), "-1", "memory"}
	swap := setting{d, "memory.memsw.limit_in_bytes", number(both, "-1"), "-1", ""}
	s := []setting{memory, swap}
	if now, err := readInt(d, "memory.memsw.limit_in_bytes"); err == nil && now > 0 && (l.Memory <= 0 || l.Memory > now) {
		s = []setting{swap, memory}
	}
	return append(s, setting{d, "memory.soft_limit_in_bytes", number(l.MemoryReservation, "-1"), "-1", "memory reservation"})
}

// LimitPids limits the group to n processes, which those that are there already
// may exceed.
func (g *Group) LimitPids(n int64) error {
	var l Limits
	l.PidsLimit = n
	for _, s := range g.pids(l) {
		if err := write(s.dir, s.file, s.value); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) pids(l Limits) []setting {
	limit := "max"
	switch {
	case l.PidsLimit > 0:
		limit = fmt.Sprint(l.PidsLimit)
	case l.PidsLimit == 0:
		limit = fmt.Sprint(defaultPids)
	}
	d := g.v1("pids")
	if d == "" {
		d = g.unified()
	}
	return []setting{{d, "pids.max", limit, "max", "pids"}}
}

// OOMKills counts the processes of the group that the kernel killed for want
// of memory.
func (g *Group) OOMKills() (int64, error) {
	dir, file := g.v1("memory"), "memory.oom_control"
	if dir == "" {
		dir, file = g.unified(), "memory.events"
	}
	t, err := readTable(dir, file)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return 0, nil
	}
	return t["oom_kill"], err
}
