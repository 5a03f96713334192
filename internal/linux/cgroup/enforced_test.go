package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// These tests use what a limit forbids and see the kernel refuse it, in
// whichever version the machine has.

const patience = 2 * time.Minute

// limited makes a group for one test. A limit that the kernel cannot keep
// ends the test.
func limited(t *testing.T, r *Root, id string, l Limits) *Group {
	t.Helper()
	g, warnings, err := r.Create(id, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := g.Kill(ctx); err != nil {
			t.Error(err)
		}
		if err := g.Delete(ctx); err != nil {
			t.Error(err)
		}
	})
	if len(warnings) > 0 {
		t.Skipf("limit not supported by this machine: %v", warnings)
	}
	return g
}

// stats waits until they are as wanted.
func stats(t *testing.T, g *Group, what string, wanted func(api.Stats) bool) api.Stats {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s, err := g.Stats()
		if err != nil {
			t.Fatal(err)
		}
		if wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", what, s)
		}
	}
}

func TestQuotaHoldsBack(t *testing.T) {
	g := limited(t, testRoot(t), "quota", Limits{Resources: api.Resources{CPUs: 0.2}})
	start(t, g, "spin", "")
	s := stats(t, g, "held back", func(s api.Stats) bool { return s.CPU.Throttled >= 5 && s.CPU.Usage > 0 && s.CPU.ThrottledTime > 0 })
	if s.CPU.Limit != 0.2 {
		t.Errorf("%+v", s.CPU)
	}
}

func TestSharesDivideABusyCPU(t *testing.T) {
	r := testRoot(t)
	one := limited(t, r, "one", Limits{Resources: api.Resources{CPUShares: 512, CPUSet: "0"}})
	four := limited(t, r, "four", Limits{Resources: api.Resources{CPUShares: 4096, CPUSet: "0"}})
	start(t, one, "spin", "")
	start(t, four, "spin", "")
	var a, b time.Duration
	for deadline := time.Now().Add(patience); a+b < 3*time.Second && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		sa, erra := one.Stats()
		sb, errb := four.Stats()
		if erra != nil || errb != nil {
			t.Fatal(erra, errb)
		}
		a, b = sa.CPU.Usage, sb.CPU.Usage
	}
	// Version 1 divides 1 : 8 and version 2, whose weights bend, 54 : 320.
	if a == 0 || b < 3*a {
		t.Errorf("with 8 times the shares, %v beside %v", b, a)
	}
}

func TestCPUSetPins(t *testing.T) {
	g := limited(t, testRoot(t), "pinned", Limits{Resources: api.Resources{CPUSet: "0"}})
	c, out := start(t, g, "affinity", "")
	if err := c.Wait(); err != nil || out.String() != "1 true\n" {
		t.Errorf("%v %q", err, out)
	}
}

func TestMemoryLimitKills(t *testing.T) {
	g := limited(t, testRoot(t), "hungry", Limits{Resources: api.Resources{Memory: 32 << 20}})
	c, out := start(t, g, "eat", "")
	_ = c.Wait()
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v: %s", c.ProcessState, out)
	}
	if n, err := g.OOMKills(); err != nil || n < 1 {
		t.Errorf("%d kills reported, %v", n, err)
	}
}

func TestPidsLimitRefuses(t *testing.T) {
	g := limited(t, testRoot(t), "forks", Limits{Resources: api.Resources{PidsLimit: 20}})
	c, out := start(t, g, "fork", "")
	if err := c.Wait(); err != nil || !strings.Contains(out.String(), syscall.EAGAIN.Error()) {
		t.Errorf("%v %q", err, out)
	}
}

// A limit bounds speed from above only, so that a loaded machine cannot make
// the test fail.
func TestBlockIOIsSlow(t *testing.T) {
	r := testRoot(t)
	dir, err := os.MkdirTemp("/var/tmp", "cgroup-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	disk, err := DiskOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	if disk == "" {
		t.Skip("a file system without a disk: not supported by this test")
	}
	const bytes, perSecond = 2 << 20, 1 << 20
	g := limited(t, r, "writes", Limits{Disk: disk, Resources: api.Resources{BlockIO: api.BlockIO{WriteBPS: perSecond}}})
	if g.v1("blkio") != "" {
		t.Skip("throttling of buffered writes: not supported by version 1")
	}
	began := time.Now()
	c, out := start(t, g, "write", filepath.Join(dir, "file"))
	if err := c.Wait(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("%d bytes at %d a second took %v", bytes, perSecond, took)
	}
	stats(t, g, "written", func(s api.Stats) bool { return s.BlockIO.WriteBytes >= bytes })
}
