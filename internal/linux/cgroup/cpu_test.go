package cgroup

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestQuotaAndPeriod(t *testing.T) {
	for _, tt := range []struct {
		vcpus     float64
		quota, of int64
	}{
		{1, 10000, 10000}, {.1, 1000, 10000}, {.05, 1000, 20000}, {.02, 1000, 50000},
		{.001, 1000, 1000000}, {.0001, 1000, 1000000}, {2.5, 25000, 10000},
	} {
		if q, of := quota(tt.vcpus); q != tt.quota || of != tt.of {
			t.Errorf("%v vCPUs are %d of %d µs, want %d of %d", tt.vcpus, q, of, tt.quota, tt.of)
		}
	}
}

// entered starts a process that enters the group as instances do.
func entered(t testing.TB, g *Group) *exec.Cmd {
	t.Helper()
	return enteredRunning(t, g, "exec sleep 600")
}

func enteredRunning(t testing.TB, g *Group, what string) *exec.Cmd {
	t.Helper()
	files, err := g.Entrances()
	if err != nil {
		t.Fatal(err)
	}
	script := "read go; "
	for i := range files {
		script += fmt.Sprintf("echo 0 >&%d; ", i+3)
	}
	c := exec.Command("sh", "-c", script+"echo in; "+what)
	c.ExtraFiles = files
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if _, err := io.WriteString(in, "\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	return c
}

func allowed(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "Cpus_allowed_list:")
	list, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(list)
}

// What has no CPUs of its own follows the shared list, live; what has stays,
// and comes back when it has none any more.
func TestCPUSets(t *testing.T) {
	r := testRoot(t)
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.TrimSpace(string(online))
	if all == "0" || r.EachHasCPUs() {
		t.Skip("two CPUs and version 1's cpusets: not supported by this machine")
	}
	free, _, err := r.Create("free", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	own, _, err := r.Create("own", Limits{Resources: api.Resources{CPUSet: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, g := range []*Group{free, own} {
			_ = g.Kill(t.Context())
			_ = g.Delete(t.Context())
		}
	})
	a, b := entered(t, free), entered(t, own)
	check := func(when, wantA, wantB string) {
		t.Helper()
		if gotA, gotB := allowed(t, a), allowed(t, b); gotA != wantA || gotB != wantB {
			t.Errorf("%s: on %s and %s, want %s and %s", when, gotA, gotB, wantA, wantB)
		}
	}
	check("at first", all, "1")
	for _, step := range []struct {
		when         string
		do           func() error
		wantA, wantB string
	}{
		{"shrunk", func() error { return r.ShareCPUs("0") }, "0", "1"},
		{"own moved", func() error { return own.SetCPUs("0-1") }, "0", "0-1"},
		{"own given up", func() error { _, err := own.Update(Limits{}); return err }, "0", "0"},
		{"grown", func() error { return r.ShareCPUs("") }, all, all},
		{"follows", func() error { return own.SetCPUs("") }, all, all},
		{"gets its own", func() error { _, err := free.Update(Limits{Resources: api.Resources{CPUSet: "1"}}); return err }, "1", all},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.when, err)
		}
		check(step.when, step.wantA, step.wantB)
	}
	if err := r.Group("none").SetCPUs("0"); err != nil {
		t.Errorf("a group that is gone: %v", err)
	}
}

func TestQuotaAndMeter(t *testing.T) {
	r := testRoot(t)
	g, _, err := r.Create("spin", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Kill(t.Context()); _ = g.Delete(t.Context()) })
	for _, v := range []float64{.1, 1.5, 0} {
		if err := g.SetQuota(v); err != nil {
			t.Fatal(err)
		}
		s, err := g.Stats()
		if err != nil || s.CPU.Limit != v {
			t.Errorf("quota %v reads %v, %v", v, s.CPU.Limit, err)
		}
	}
	m, err := g.Meter()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before, err := m.Read()
	if err != nil {
		t.Fatal(err)
	}
	c := entered(t, g)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		now, err := m.Read()
		if err != nil {
			t.Fatal(err)
		}
		if now > before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a process ran and used no time")
		}
	}
	_ = c
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		in, key string
		want    int64
		ok      bool
	}{
		{"usage_usec 12\nuser_usec 3\n", "usage_usec ", 12, true},
		{"77\n", "", 77, true}, {"", "", 0, false}, {"usage_usec x", "usage_usec ", 0, false},
	} {
		if n, ok := number([]byte(tt.in), []byte(tt.key)); n != tt.want || ok != tt.ok {
			t.Errorf("%q: %d %v", tt.in, n, ok)
		}
	}
}

// BenchmarkEnterShared is what being in a group for CPUs costs every start.
func BenchmarkEnterShared(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("not root")
	}
	r, err := Open(fmt.Sprintf("virga-cgroup-bench-%d", os.Getpid()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = removed(r) }()
	m := r.V1["cpuset"]
	if m == "" {
		b.Skip("version 2")
	}
	dirs := []string{filepath.Join(m, r.name, shared), m}
	for i := 0; b.Loop(); i++ {
		c, err := os.OpenFile(filepath.Join(dirs[i%2], "tasks"), os.O_WRONLY, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.WriteString("0"); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
	_ = write(m, "cgroup.procs", fmt.Sprint(os.Getpid()))
}

func BenchmarkMeter(b *testing.B) {
	r, err := Open(fmt.Sprintf("virga-cgroup-bench-%d", os.Getpid()))
	if err != nil {
		b.Skip(err)
	}
	g, _, err := r.Create("x", Limits{})
	if err != nil {
		b.Skip(err)
	}
	defer func() { _ = g.remove(); _ = removed(r) }()
	m, err := g.Meter()
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for b.Loop() {
		if _, err := m.Read(); err != nil {
			b.Fatal(err)
		}
	}
}
