package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
)

// dedicatedRounds is how often a probe runs alone and beside a neighbour, in
// turns; traceLength is for how long its core is watched.
const (
	dedicatedRounds = 5
	traceLength     = 5 * time.Second
)

// cpuDedicated measures how late a probe on a dedicated core wakes up, alone
// and while a neighbour keeps busy whatever it can get, and who else ran there.
// The same is measured of a probe and of neighbours that were pinned by hand,
// without virga: what the machine itself lets a neighbour take. Where that probe
// is real-time too, no other program of the machine comes before it: what is
// left is the kernel's and the hypervisor's.
func (e *env) cpuDedicated(ctx context.Context) error {
	var own, hand, realtime pairs
	for range dedicatedRounds {
		for _, busy := range []bool{false, true} {
			p99, cpu, err := e.wakeups(ctx, busy)
			if err != nil {
				return err
			}
			own.add(p99, busy)
			if p99, err = wakeupsByHand(ctx, cpu, busy, false); err != nil {
				return err
			}
			hand.add(p99, busy)
			if p99, err = wakeupsByHand(ctx, cpu, busy, true); err != nil {
				return err
			}
			realtime.add(p99, busy)
		}
	}
	err := e.compare("cpu.dedicated", "us p99", own.beside, goal{}, []measured{
		{"the same core alone", own.alone, ratioAtMost(1.1)}, {"pinned by hand, beside the same", hand.beside, ratioAtMost(1.1)},
	})
	if err != nil {
		return err
	}
	for _, floor := range []struct {
		name string
		p    pairs
	}{{"cpu.dedicated-floor", hand}, {"cpu.dedicated-floor-realtime", realtime}} {
		if err := e.compare(floor.name, "us p99", floor.p.beside, goal{}, []measured{{"the same alone", floor.p.alone, goal{}}}); err != nil {
			return err
		}
	}
	return e.strangers(ctx)
}

// pairs are measurements of one thing, alone and beside a busy neighbour.
type pairs struct{ alone, beside samples }

func (p *pairs) add(v float64, busy bool) {
	if busy {
		p.beside = append(p.beside, v)
		return
	}
	p.alone = append(p.alone, v)
}

// wakeups is the 99th percentile of a probe's lateness in microseconds, and the
// CPU it was measured on.
func (e *env) wakeups(ctx context.Context, busy bool) (p99 float64, cpu int, err error) {
	if busy {
		hog, err := e.client.Create(ctx, spec("/bin/sh", "-c", spinTwo), true)
		if err != nil {
			return 0, 0, err
		}
		defer e.removed(hog.ID)
	}
	in, err := e.dedicated(ctx, "/bin/bench", "probe", "wakeup", "5s")
	if err != nil {
		return 0, 0, err
	}
	defer e.removed(in.ID)
	if in, err = e.client.Instance(ctx, in.ID); err != nil {
		return 0, 0, err
	}
	if cpu, err = strconv.Atoi(in.Status.CPUs); err != nil {
		return 0, 0, fmt.Errorf("the dedicated instance has the CPUs %q: %w", in.Status.CPUs, err)
	}
	d, err := e.probed(ctx, in.ID)
	return float64(d.P99) / float64(time.Microsecond), cpu, err
}

// wakeupsByHand is what wakeups is of a probe that is tied to a CPU, real-time or
// not, beside as many busy programs on the others.
func wakeupsByHand(ctx context.Context, cpu int, busy, realtime bool) (float64, error) {
	var own, others unix.CPUSet
	own.Set(cpu)
	for i := range runtime.NumCPU() {
		if i != cpu {
			others.Set(i)
		}
	}
	if busy {
		for range 2 {
			hog := exec.CommandContext(ctx, "busybox", "sh", "-c", spin)
			if err := startOn(hog, others, false); err != nil {
				return 0, err
			}
			defer func() { _, _ = hog.Process.Kill(), hog.Wait() }()
		}
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	var out bytes.Buffer
	probe := exec.CommandContext(ctx, self, "probe", "wakeup", "5s")
	probe.Stdout, probe.Stderr = &out, os.Stderr
	if err := startOn(probe, own, realtime); err != nil {
		return 0, err
	}
	if err := probe.Wait(); err != nil {
		return 0, fmt.Errorf("probe by hand: %w", err)
	}
	d, err := printedBy(out.String())
	return float64(d.P99) / float64(time.Microsecond), err
}

// startOn starts a program whose threads run on some CPUs only, and before all
// that are not real-time if they are to be so.
func startOn(c *exec.Cmd, cpus unix.CPUSet, realtime bool) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.SchedSetaffinity(0, &cpus); err != nil {
			done <- fmt.Errorf("tie %s to CPUs: %w", c.Path, err)
			return
		}
		if realtime {
			a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
			if err := unix.SchedSetAttr(0, &a, 0); err != nil {
				done <- fmt.Errorf("run %s before others: %w", c.Path, err)
				return
			}
		}
		done <- c.Start()
	}()
	return <-done
}

func (e *env) dedicated(ctx context.Context, args ...string) (api.Instance, error) {
	s := spec(args...)
	s.Spec.Type = "dedicated.small"
	return e.client.Create(ctx, s, true)
}

// strangers watches every switch of tasks on a dedicated core while a
// neighbour keeps busy all it can get, and says for how much of the time
// somebody's threads ran there which are not the instance's.
func (e *env) strangers(ctx context.Context) error {
	hog, err := e.client.Create(ctx, spec("/bin/sh", "-c", spinTwo), true)
	if err != nil {
		return err
	}
	defer e.removed(hog.ID)
	in, err := e.dedicated(ctx, "/bin/bench", "probe", "wakeup", "1h")
	if err != nil {
		return err
	}
	defer e.removed(in.ID)
	if in, err = e.client.Instance(ctx, in.ID); err != nil {
		return err
	}
	cpu, err := strconv.Atoi(in.Status.CPUs)
	if err != nil {
		return fmt.Errorf("the dedicated instance has the CPUs %q: %w", in.Status.CPUs, err)
	}
	ran, err := e.watchCPU(ctx, cpu)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return e.record(figure{Name: "cpu.strangers", Unit: "not measured", About: "this kernel has no tracefs"}, goal{})
	}
	if err != nil {
		return err
	}
	theirs, names := map[bool]time.Duration{}, map[string]time.Duration{} // theirs: by whether virga runs it
	for t, d := range ran {
		if t.kernel || t.tid == 0 || strings.Contains(t.group, in.ID) {
			continue
		}
		own := strings.Contains(t.group, ":cpuset:/virga") || strings.HasPrefix(t.name, "virga")
		theirs[own] += d
		if !own {
			names[t.name] += d
		}
	}
	share := func(d time.Duration) float64 { return 100 * float64(d) / float64(traceLength) }
	if err := e.record(figure{Name: "cpu.strangers", Value: share(theirs[true]), Unit: "% of its core", N: len(ran),
		About: "other instances, daemon, supervisor"}, atMost(0)); err != nil {
		return err
	}
	most := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return int(names[b] - names[a]) })
	return e.record(figure{Name: "cpu.system", Value: share(theirs[false]), Unit: "% of its core",
		About: "the machine's: " + strings.Join(most[:min(3, len(most))], ", ")}, goal{})
}

// task is a thread that was seen on a CPU.
type task struct {
	tid    int
	name   string
	kernel bool
	group  string // its control groups
}

// watchCPU tells who ran on a CPU and for how long, by the kernel's own record
// of every switch.
func (e *env) watchCPU(ctx context.Context, cpu int) (ran map[task]time.Duration, err error) {
	mnt := filepath.Join(e.dir, "tracing")
	if err := os.MkdirAll(mnt, 0o755); err != nil {
		return nil, err
	}
	if err := unix.Mount("tracefs", mnt, "tracefs", 0, ""); err != nil {
		return nil, err
	}
	defer unix.Unmount(mnt, 0)
	dir := filepath.Join(mnt, "instances", "virga-bench")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	defer os.Remove(dir)
	set := func(file, value string) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), []byte(value), 0)
		}
	}
	set("tracing_on", "0")
	set("trace_clock", "mono")
	set("buffer_size_kb", "8192")
	set("tracing_cpumask", strconv.FormatUint(1<<cpu, 16))
	set("events/sched/sched_switch/enable", "1")
	set("tracing_on", "1")
	if err != nil {
		return nil, err
	}
	err = pause(ctx, traceLength)
	set("tracing_on", "0")
	set("events/sched/sched_switch/enable", "0")
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "per_cpu", "cpu"+strconv.Itoa(cpu), "trace"))
	if err != nil {
		return nil, err
	}
	return tasksOf(switches(string(b))), nil
}

// switched is one switch: who was given the CPU, and when.
type switched struct {
	at   float64 // s
	tid  int
	name string
}

// switches reads the lines that the kernel prints of sched_switch.
func switches(trace string) (list []switched) {
	for line := range strings.Lines(trace) {
		head, event, ok := strings.Cut(line, ": sched_switch: ")
		if !ok {
			continue
		}
		at, err := strconv.ParseFloat(head[strings.LastIndexByte(head, ' ')+1:], 64)
		if err != nil {
			continue
		}
		_, next, ok := strings.Cut(event, "==> next_comm=")
		if !ok {
			continue
		}
		name, rest, ok := strings.Cut(next, " next_pid=")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, " ")
		if tid, err := strconv.Atoi(number); err == nil {
			list = append(list, switched{at, tid, name})
		}
	}
	return list
}

// tasksOf adds up for how long each thread had the CPU. Those that have ended
// meanwhile are taken for user threads.
func tasksOf(list []switched) map[task]time.Duration {
	known, ran := map[int]task{}, map[task]time.Duration{}
	for i, s := range list[:max(len(list)-1, 0)] {
		t, ok := known[s.tid]
		if !ok {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.tid))
			group, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.tid))
			t = task{s.tid, s.name, strings.Contains(string(status), "\nKthread:\t1"), string(group)}
			known[s.tid] = t
		}
		ran[t] += time.Duration(math.Round(1e9 * (list[i+1].at - s.at)))
	}
	return ran
}
