package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// crowd is how many instances run while memory is measured.
const crowd = 200

// benchMemory measures what virga adds to each of many running instances, the
// daemon's own memory, and what it all costs when nothing happens.
func benchMemory(ctx context.Context, e *env) error {
	before, err := virgaProcesses(e.dir, e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	for range crowd {
		if _, err := e.client.Create(ctx, spec("/bin/sleep", "100000"), true); err != nil {
			return err
		}
	}
	after, err := virgaProcesses(e.dir, e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	each := float64(after.others-before.others) / crowd / (1 << 20)
	daemon := float64(after.daemon) / (1 << 20)
	budget := 80 + float64(crowd)*50/1024
	if err := e.record(figure{Name: "memory.each", Value: each, Unit: "MiB PSS", N: crowd}, atMost(2)); err != nil {
		return err
	}
	if err := e.record(figure{Name: "memory.daemon", Value: daemon, Unit: "MiB RSS", N: crowd}, atMost(budget)); err != nil {
		return err
	}
	return e.idle(ctx)
}

// idle measures the daemon's CPU time while nothing happens.
func (e *env) idle(ctx context.Context) error {
	const length = 20 * time.Second
	settle := time.NewTimer(3 * time.Second)
	select {
	case <-settle.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	from, err := cpuTime(e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-time.After(length):
	case <-ctx.Done():
		return ctx.Err()
	}
	to, err := cpuTime(e.daemon.Process.Pid)
	if err != nil {
		return err
	}
	share := 100 * (to - from).Seconds() / time.Since(began).Seconds()
	return e.record(figure{Name: "memory.idle-cpu", Value: share, Unit: "% of a core", N: crowd}, atMost(0.5))
}

// usage is memory in bytes.
type usage struct {
	daemon int64 // resident
	others int64 // proportional, of virga's other processes
}

// virgaProcesses adds up the daemon and the processes of virga's other
// binaries; the daemon unpacks them below its directories.
func virgaProcesses(dir string, daemon int) (u usage, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return u, err
	}
	for _, p := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(p))
		exe, err := os.Readlink(filepath.Join(p, "exe"))
		if err != nil {
			continue // a kernel thread, or gone
		}
		switch {
		case pid == daemon:
			u.daemon, err = memoryField(filepath.Join(p, "status"), "VmRSS:")
		case strings.Contains(exe, "virga-shim") || strings.HasPrefix(exe, dir) && !strings.Contains(exe, "busybox"):
			var pss int64
			pss, err = memoryField(filepath.Join(p, "smaps_rollup"), "Pss:")
			u.others += pss
		}
		if err != nil && !os.IsNotExist(err) {
			return u, err
		}
	}
	return u, nil
}

// memoryField reads a field of kB from a file of /proc.
func memoryField(path, name string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), name); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// cpuTime is what the threads of a process have used of the CPUs.
func cpuTime(pid int) (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, t := range threads {
		b, err := os.ReadFile(t)
		if err != nil {
			continue // it has ended
		}
		run, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseInt(run, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}
