package alarm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/cgroup"
)

// firstCPU is one that this process may use.
func firstCPU(t *testing.T) int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			return cpu
		}
	}
	t.Fatal("there is no CPU")
	return 0
}

// group makes a group and returns its directory in the unified hierarchy. It
// ends with the test.
func group(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	r, err := cgroup.Open(fmt.Sprintf("virga-alarm-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(r.Remove(ctx), r.Close()); err != nil {
			t.Error(err)
		}
	})
	if r.Unified == "" {
		t.Skip("unified hierarchy: not supported by this machine")
	}
	g, _, err := r.Create("group", cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(g.Kill(ctx), g.Delete(ctx)); err != nil {
			t.Error(err)
		}
	})
	return g.Unified()
}

// spin keeps a CPU busy from within a group until the function is called.
func spin(t *testing.T, dir string, cpu int) (end func()) {
	t.Helper()
	c := exec.Command("sh", "-c", "echo 0 >"+dir+"/cgroup.procs; while :; do :; done")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = c.Process.Kill(); _ = c.Wait() }
	t.Cleanup(end)
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(c.Process.Pid, &set); err != nil {
		t.Fatal(err)
	}
	return end
}

// turns is how often a thread has gone to sleep.
func turns(t *testing.T, tid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\nvoluntary_ctxt_switches:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The CPU turns to an alarm while its group runs there, and not when nothing
// does or the group is not followed any more.
func TestAlarm(t *testing.T) {
	dir, cpu := group(t), firstCPU(t)
	a, err := New(cpu)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	g := Group{Dir: dir, Every: time.Millisecond}
	if err := a.Set([]Group{g}); errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPERM) {
		t.Skip("counters of groups: not supported by this machine:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.counters[g]; !ok {
		t.Fatal("the group is not followed")
	}
	before := turns(t, a.tid)
	end := spin(t, dir, cpu)
	for deadline := time.Now().Add(time.Minute); turns(t, a.tid) < before+50; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a group runs, and the CPU turned to its alarm %d times", turns(t, a.tid)-before)
		}
	}
	end()
	if err := a.Set(nil); err != nil {
		t.Fatal(err)
	}
	spin(t, dir, cpu)
	before = turns(t, a.tid)
	time.Sleep(50 * time.Millisecond) // in which it would have been woken
	if n := turns(t, a.tid) - before; n > 5 {
		t.Errorf("nothing is followed, and the CPU turned to the alarm %d times", n)
	}
}

// A group that is gone is told, and keeps the others from nothing.
func TestSetOfGone(t *testing.T) {
	dir, cpu := group(t), firstCPU(t)
	a, err := New(cpu)
	if err != nil {
		t.Fatal(err)
	}
	good, gone := Group{Dir: dir, Every: time.Millisecond}, Group{Dir: dir + "-none", Every: time.Millisecond}
	err = a.Set([]Group{gone, good})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a group that is gone: %v", err)
	}
	if _, ok := a.counters[gone]; ok {
		t.Error("it is followed")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoSuchCPU(t *testing.T) {
	if Supported("") == nil {
		t.Error("groups of no hierarchy can be followed")
	}
	if _, err := New(1000); err == nil {
		t.Error("an alarm on CPU 1000")
	}
}
