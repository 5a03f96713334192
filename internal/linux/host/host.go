// Package host reads what the machine is and has.
package host

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Host is a machine at one moment. Sizes are bytes.
type Host struct {
	Kernel     string // release, such as 6.12.4
	Arch       string // as Go names it
	CPUs       int    // online
	Load       float64
	Memory     int64
	MemoryUsed int64
	Disk       int64 // of the file system that holds dir
	DiskUsed   int64
	Cgroup     string // "v1", "v2" or "hybrid"
}

// Read describes the machine, and the file system that holds dir.
func Read(dir string) (Host, error) {
	h := Host{Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Cgroup: cgroupMode()}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return h, fmt.Errorf("uname: %w", err)
	}
	h.Kernel = unix.ByteSliceToString(u.Release[:])
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return h, fmt.Errorf("statfs %s: %w", dir, err)
	}
	h.Disk = int64(fs.Blocks) * fs.Bsize
	h.DiskUsed = int64(fs.Blocks-fs.Bfree) * fs.Bsize
	mem, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return h, err
	}
	total, available := meminfo(mem)
	h.Memory, h.MemoryUsed = total, total-available
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return h, err
	}
	h.Load = loadavg(load)
	return h, nil
}

// BootID is a name of the time since the machine was booted.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// Uptime is the time since the machine was booted, without the time in which it
// was suspended. Setting the clock does not change it.
func Uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // not on Linux
	}
	return time.Duration(t.Nano())
}

// meminfo reads the sizes of all and of available memory; 0 when missing.
func meminfo(b []byte) (total, available int64) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 2 {
			continue
		}
		kib, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			continue
		}
		switch f[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			available = kib << 10
		}
	}
	return total, available
}

// loadavg is the load of the last minute, 0 when it cannot be read.
func loadavg(b []byte) float64 {
	first, _, _ := strings.Cut(string(b), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}

// cgroupMode says how the cgroup hierarchies are mounted.
func cgroupMode() string {
	const root = "/sys/fs/cgroup"
	var fs unix.Statfs_t
	if unix.Statfs(root, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return "v2"
	}
	if unix.Statfs(root+"/unified", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return "hybrid"
	}
	return "v1"
}
