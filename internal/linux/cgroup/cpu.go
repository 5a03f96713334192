package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A quota is spent within a period, and a group that has spent it stands still
// until the next one: at most for the period less the quota over the number of
// its busy CPUs. Twenty milliseconds keep that pause below what a person or a
// health check notices; the kernel's default of 100 ms does not. The period is
// half of that, because a group may miss one: the kernel gives what is left of a
// quota to the first CPU that asks, and another of the group's threads then
// waits for the next. The kernel takes no quota below a millisecond, so that
// smaller ones need a longer period.
const (
	period      = 10_000 // µs
	leastQuota  = 1000   // µs
	longestTurn = 1_000_000
)

// quota is what stands for that many vCPUs, both in µs.
func quota(vcpus float64) (quota, of int64) {
	of = period
	if vcpus*period < leastQuota {
		of = int64(min(math.Ceil(leastQuota/vcpus), longestTurn))
	}
	return max(int64(math.Round(vcpus*float64(of))), leastQuota), of
}

// quotaSettings are the settings of a quota; 0 vCPUs is none.
func (g *Group) quotaSettings(vcpus float64) []setting {
	const kernels = 100_000
	if d := g.v1("cpu"); d != "" {
		if vcpus <= 0 {
			return []setting{{d, "cpu.cfs_quota_us", "-1", "-1", "CPU quota"}}
		}
		q, p := quota(vcpus)
		// Where the two together make no sense for a moment, it is harmless:
		// the group above has no quota.
		return []setting{{d, "cpu.cfs_period_us", fmt.Sprint(p), fmt.Sprint(kernels), "CPU quota"},
			{d, "cpu.cfs_quota_us", fmt.Sprint(q), "-1", "CPU quota"}}
	}
	value, none := fmt.Sprintf("max %d", kernels), fmt.Sprintf("max %d", kernels)
	if vcpus > 0 {
		q, p := quota(vcpus)
		value = fmt.Sprintf("%d %d", q, p)
	}
	return []setting{{g.unified(), "cpu.max", value, none, "CPU quota"}}
}

// SetQuota changes nothing but the quota; 0 vCPUs is none. Every change lets a
// group that stands still go on at once.
func (g *Group) SetQuota(vcpus float64) error {
	for _, s := range g.quotaSettings(vcpus) {
		if err := write(s.dir, s.file, s.value); err != nil {
			return err
		}
	}
	return nil
}

// SetCPUs moves the group's processes to a list of CPUs, in a group that has
// one of its own; the empty list is what the others share. Nothing happens to a
// group that does not exist.
func (g *Group) SetCPUs(list string) error {
	d := g.v1("cpuset")
	if d == "" && g.unified() == "" {
		return nil
	}
	if d != "" && list == "" {
		return g.joinShared(d)
	}
	if d == "" {
		d = g.unified()
	}
	// An empty write would not reach the kernel.
	err := write(d, "cpuset.cpus", list+"\n")
	if list == "" && errors.Is(err, unix.ENOSPC) {
		// An older kernel takes a list away from no group that has processes:
		// the one of the group above says the same until CPUs come or go.
		if list, err = read(filepath.Dir(d), "cpuset.cpus.effective"); err == nil {
			err = write(d, "cpuset.cpus", list)
		}
	}
	return ignoreGone(err)
}

// joinShared moves the group's processes to the list of CPUs that all share on
// version 1, and takes its own group dir away.
func (g *Group) joinShared(dir string) error {
	to := filepath.Join(filepath.Dir(dir), shared)
	for range 100 { // a process may fork meanwhile
		pids, err := read(dir, "cgroup.procs")
		if err != nil {
			return ignoreGone(err)
		}
		for pid := range strings.FieldsSeq(pids) {
			if err := write(to, "cgroup.procs", pid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if err = rmdir(dir); !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return fmt.Errorf("move to the shared CPUs from %s: its processes fork too fast", dir)
}

// EachHasCPUs reports whether every group has a list of CPUs, as on version 2.
// On version 1 those without one of their own share one, which ShareCPUs sets.
func (r *Root) EachHasCPUs() bool { return r.V1["cpuset"] == "" }

// ShareCPUs moves what has no list of CPUs of its own, on version 1. The empty
// list is every CPU.
func (r *Root) ShareCPUs(list string) error {
	m := r.V1["cpuset"]
	if m == "" {
		return nil
	}
	root := filepath.Join(m, r.name)
	if list == "" {
		all, err := read(m, "cpuset.cpus")
		if err != nil {
			return err
		}
		list = all
	}
	// CPUs that came back after an absence have to be in the group above first.
	if all, err := read(m, "cpuset.cpus"); err == nil {
		if err := write(root, "cpuset.cpus", all); err != nil {
			return err
		}
	}
	return write(filepath.Join(root, shared), "cpuset.cpus", list)
}

// Join keeps this process, and those it will start, on the CPUs that are shared,
// until Close or Remove. It does so on version 1, and only for a process that
// nobody confined to a list of CPUs before: elsewhere the system's own means do.
func (r *Root) Join() error {
	m := r.V1["cpuset"]
	if m == "" {
		return nil
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(own)) {
		// number:controllers:path
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && slices.Contains(strings.Split(f[1], ","), "cpuset") && f[2] == "/" {
			r.joined = true
			return write(filepath.Join(m, r.name, shared), "cgroup.procs", fmt.Sprint(os.Getpid()))
		}
	}
	return nil
}

// leave takes this process back to where Join found it.
func (r *Root) leave() error {
	if !r.joined {
		return nil
	}
	r.joined = false
	return write(r.V1["cpuset"], "cgroup.procs", fmt.Sprint(os.Getpid()))
}

// Meter reads the CPU time that a group has used. It keeps the file open, so
// that a reading is one system call. It is not safe for concurrent use.
type Meter struct {
	f   *os.File
	buf [512]byte
	// unit is of the number that follows key in the file.
	key  []byte
	unit time.Duration
}

// Meter opens the group's meter. The caller closes it.
func (g *Group) Meter() (*Meter, error) {
	m := &Meter{key: []byte("usage_usec "), unit: time.Microsecond}
	path := filepath.Join(g.unified(), "cpu.stat")
	if g.unified() == "" {
		m.key, m.unit = nil, time.Nanosecond
		path = filepath.Join(g.v1("cpuacct"), "cpuacct.usage")
	}
	f, err := os.Open(path)
	m.f = f
	return m, err
}

// Read returns the CPU time used since the group was made.
func (m *Meter) Read() (time.Duration, error) {
	n, err := retry(func() (int, error) { return unix.Pread(int(m.f.Fd()), m.buf[:], 0) })
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: m.f.Name(), Err: err}
	}
	used, ok := number(m.buf[:n], m.key)
	if !ok {
		return 0, fmt.Errorf("read %s: no CPU time in %q", m.f.Name(), m.buf[:n])
	}
	return time.Duration(used) * m.unit, nil
}

// Close lets go of the file.
func (m *Meter) Close() error {
	if m == nil || m.f == nil {
		return nil
	}
	return m.f.Close()
}

// number reads the digits after key.
func number(b, key []byte) (int64, bool) {
	i := bytes.Index(b, key)
	if i < 0 {
		return 0, false
	}
	b = b[i+len(key):]
	end := 0
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(b[:end]), 10, 64)
	return n, err == nil
}

// Gone reports whether an error says that a group does not exist any more.
func Gone(err error) bool { return err != nil && ignoreGone(err) == nil }

// CPUs is the list of CPUs that the group's processes may use.
func (g *Group) CPUs() (string, error) {
	d, file := g.v1("cpuset"), "cpuset.cpus"
	if d == "" {
		d, file = g.unified(), "cpuset.cpus.effective"
	}
	s, err := read(d, file)
	return s, ignoreGone(err)
}

// Online is the list of CPUs that groups can be given.
func (r *Root) Online() (string, error) {
	if m := r.V1["cpuset"]; m != "" {
		return read(m, "cpuset.effective_cpus")
	}
	s, err := read(r.Unified, "cpuset.cpus.effective")
	if err == nil {
		return s, nil
	}
	return read("/sys/devices/system/cpu", "online") // no cpuset controller
}
