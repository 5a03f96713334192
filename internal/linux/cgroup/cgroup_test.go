package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/virga-cloud/virga/api"
)

func testRoot(t *testing.T) *Root {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	r, err := Open(fmt.Sprintf("virga-cgroup-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removed(r); err != nil {
			t.Error(err)
		}
	})
	return r
}

// removed takes a root away, also when its test's own context has ended.
func removed(r *Root) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(r.Remove(ctx), r.Close())
}

// sleeper starts a process in the group.
func sleeper(t *testing.T, g *Group) *exec.Cmd {
	t.Helper()
	c := exec.Command("sleep", "600")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for _, d := range g.existing() {
		if err := write(d, "cgroup.procs", strconv.Itoa(c.Process.Pid)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestGroup(t *testing.T) {
	r := testRoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, warnings, err := r.Create("one", Limits{Resources: api.Resources{CPUs: 2, Memory: 1 << 28, PidsLimit: -1}})
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	c := sleeper(t, g)
	if pids, err := g.Pids(); err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
		t.Errorf("pids %v, %v", pids, err)
	}
	if ids, err := r.List(); err != nil || !slices.Equal(ids, []string{"one"}) {
		t.Errorf("list %v, %v", ids, err)
	}
	if err := g.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	if on, err := g.Frozen(); err != nil || !on {
		t.Errorf("frozen %v, %v", on, err)
	}
	if err := g.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("killed: %v", err)
	}
	for range 2 { // the second finds nothing
		if err := g.Delete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := r.List(); err != nil || len(ids) > 0 {
		t.Errorf("list %v, %v", ids, err)
	}
	if err := g.Kill(ctx); err != nil {
		t.Errorf("kill a group that is gone: %v", err)
	}
}

// Without a unified hierarchy, freezer and signals do what cgroup.kill does.
func TestGroupOfVersion1Alone(t *testing.T) {
	r := testRoot(t)
	if r.V1["freezer"] == "" {
		t.Skip("freezer of version 1: not supported by this machine")
	}
	hybrid := *r
	only := &hybrid
	only.Unified = ""
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, _, err := only.Create("old", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	c := sleeper(t, g)
	if err := g.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	if on, err := g.Frozen(); err != nil || !on {
		t.Errorf("frozen %v, %v", on, err)
	}
	if err := g.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if s, err := g.Stats(); err != nil || s.Pids.Limit != defaultPids {
		t.Errorf("%+v %v", s, err)
	}
	if err := g.Delete(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestCreateUndoesWhatItMade(t *testing.T) {
	r := testRoot(t)
	_, _, err := r.Create("bad", Limits{Resources: api.Resources{CPUSet: "9999"}})
	if api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("%v", err)
	}
	if ids, err := r.List(); err != nil || len(ids) > 0 {
		t.Errorf("left %v, %v", ids, err)
	}
}

// The unified hierarchy of a hybrid machine takes device programs too, so the
// ones for version 2 are tested for real.
func TestDeviceProgram(t *testing.T) {
	r := testRoot(t)
	if r.Unified == "" {
		t.Skip("unified hierarchy: not supported by this machine")
	}
	g, _, err := r.Create("devices", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Delete(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	rules := []Device{{'c', 1, 3, "r"}, {'c', 1, 5, "rw"}, {'b', -1, -1, "m"}}
	if err := r.bpf.restrict(g.unified(), rules); errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	entrance := g.unified() + "/cgroup.procs"
	for script, want := range map[string]bool{
		"read x </dev/null; true": true, "echo > /dev/null": false,
		"echo > /dev/zero": true, "read -n1 x < /dev/full": false, "read -n1 x < /dev/urandom": false,
	} {
		err := exec.Command("sh", "-c", "echo 0 > "+entrance+" && exec sh -c '"+script+"'").Run()
		_, failed := errors.AsType[*exec.ExitError](err)
		if err != nil && !failed || failed == want {
			t.Errorf("%s: %v, want success %v", script, err, want)
		}
	}
}

func TestParseMounts(t *testing.T) {
	for name, c := range map[string]struct{ text, mode, memory, unified string }{
		"hybrid": {"30 22 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n34 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "hybrid", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"},
		"v1":     {"31 30 0:28 / /c/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n34 30 0:31 / /a\\040b rw - cgroup cgroup rw,memory\n", "v1", "/a b", ""},
		"v2":     {"30 22 0:27 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", "v2", "", "/sys/fs/cgroup"},
	} {
		l := parseMounts(c.text)
		if l.Mode() != c.mode || l.V1["memory"] != c.memory || l.Unified != c.unified {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestWeight(t *testing.T) {
	for shares, want := range map[int64]int64{0: 1, 2: 1, 1024: 100, 262144: 10000, 1 << 40: 10000} {
		if got := weight(shares); got != want {
			t.Errorf("weight(%d) = %d, want %d", shares, got, want)
		}
	}
}

// Version 2's settings are compared as text: this is what a kernel is told.
func TestSettingsOfVersion2(t *testing.T) {
	r := &Root{Layout: Layout{Unified: "/u", V2: []string{"cpu", "memory", "pids", "io", "cpuset"}}, name: "virga"}
	s, err := r.Group("x").settings(Limits{Disk: "8:0", Resources: api.Resources{
		CPUs: 1.5, CPUShares: 2048, CPUSet: "0-1", Memory: 100, MemorySwap: 150, MemoryReservation: 50, PidsLimit: 7,
		BlockIO: api.BlockIO{Weight: 1000, ReadBPS: 1, WriteOPS: 2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range s {
		got = append(got, x.file+"="+x.value)
		if x.dir != "/u/virga/x" {
			t.Errorf("%s in %s", x.file, x.dir)
		}
	}
	want := "cpu.weight=174 cpu.max=15000 10000 cpuset.cpus=0-1 memory.max=100 memory.swap.max=50 memory.low=50 pids.max=7 io.weight=default 10000 io.max=8:0 rbps=1 wbps=max riops=max wiops=2"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add("34 30 0:31 / /a\\040b rw - cgroup cgroup rw,memory\n")
	f.Fuzz(func(t *testing.T, s string) { parseMounts(s).Mode() })
}

func FuzzParseTables(f *testing.F) {
	f.Add("a 1\nb x\n")
	f.Fuzz(func(t *testing.T, s string) { parseTable(s); parseIOStat(s) })
}
