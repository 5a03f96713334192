package vm

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// suites are what is worth an emulator's time: what depends on the version of
// the cgroups or of the kernel. Skipped is what takes longest and depends least.
var suites = []Suite{
	{Package: "internal/linux/cgroup"},
	{Package: "internal/linux/mount"},
	{Package: "internal/linux/confine"},
	{Package: "internal/linux/launch"},
	{Package: "internal/linux/namespace"},
	{Package: "internal/linux/seccomp"},
	{Package: "internal/linux/nft", Skip: "SpreadByWeight"},
	{Package: "internal/shim", Skip: "^(TestMemory|TestDaemon)$"},
	{Package: "internal/engine/container", Skip: "LinksOfTheImage"},
	{Package: "internal/network", Run: "Reach|PublishedPort|IPv6$|Walls|UDPClient|OutliveTheDaemon|NothingIsLeft"},
	{Package: "internal/disk"}, // by project quotas, which not every kernel has
	{Package: "test", Run: "^(" + strings.Join(endToEnd, "|") + ")$"},
}

// endToEnd are the end-to-end tests of what version 2 does differently, and of
// one life from start to end.
var endToEnd = []string{
	"TestMemoryLimitAndOOMKill",
	"TestPidsLimit",
	"TestCPUQuotaHoldsBack",
	"TestUseSettlesOnTheBaseline",
	"TestLimitsChangeWhileItRuns",
	"TestLifeOfAnInstance",
	"TestExec",
	"TestStatsOfARunningInstance",
	"TestWorkloadsOutliveTheDaemon",
	"TestPublishedPort",
	"TestPortChosenByTheNode",
	"TestNodeSaysWhatItHasAndWhatItLacks",
	"TestSystemCheckKnowsEveryResource",
	"TestStrayResourcesAreCollected",
	"TestSizeOfTheWritableLayer",
	"TestVolumesWithASize",
	"TestBlockIORates",
	"TestSharedNamespaces",
}

// deadline bounds a run on a machine that is loaded beyond reason; a usual
// one takes a third of it.
const deadline = 15 * time.Minute

// TestGuest runs the suites in the guest; each of their tests is a subtest.
// VIRGA_VM_SUITE chooses one suite, VIRGA_VM_RUN some of its tests.
func TestGuest(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), deadline, fmt.Errorf("more than %s", deadline))
	defer cancel()
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := FindKernel(ctx, module)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	m, err := Build(ctx, module, t.TempDir(), kernel, chosen(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("built in %.1f s", time.Since(began).Seconds())
	began = time.Now()
	err = m.Run(ctx, func(line io.Reader) error {
		return Results(ctx, line, func(r Result) { t.Run(r.Name, func(t *testing.T) { report(t, r) }) })
	})
	t.Logf("ran in %.1f s", time.Since(began).Seconds())
	console, _ := os.ReadFile(m.Console)
	switch {
	case err != nil:
		t.Errorf("%v\nthe console of the guest:\n%s", err, tail(console))
	case t.Failed():
		t.Logf("the console of the guest:\n%s", tail(console))
	}
}

// chosen are the suites that the environment asks for.
func chosen() []Suite {
	name, run := os.Getenv("VIRGA_VM_SUITE"), os.Getenv("VIRGA_VM_RUN")
	if name == "" {
		return suites
	}
	for _, s := range suites {
		if s.Package == name {
			if run != "" {
				s.Run = run
			}
			return []Suite{s}
		}
	}
	return []Suite{{Package: name, Run: run}}
}

// report makes a program's result that of t.
func report(t *testing.T, r Result) {
	for _, test := range r.Tests {
		repeat(t, test)
	}
	if r.Code != 0 && !t.Failed() {
		t.Errorf("it ended with %d, but no test failed:\n%s", r.Code, r.Output)
	}
	if r.Code == 0 && len(r.Tests) == 0 {
		t.Errorf("no test ran:\n%s", r.Output)
	}
}

// repeat makes the result of a test in the guest that of a subtest here.
func repeat(t *testing.T, test *Test) {
	t.Run(test.Name, func(t *testing.T) {
		for _, sub := range test.Tests {
			repeat(t, sub)
		}
		switch test.Action {
		case "pass":
			t.Logf("%.1f s in the guest", test.Elapsed)
		case "skip":
			t.Skip(test.Reason())
		case "fail":
			t.Errorf("after %.1f s:\n%s", test.Elapsed, test.Output)
		default:
			t.Errorf("it did not end:\n%s", test.Output)
		}
	})
}

// tail is the last 8 KiB of a console.
func tail(b []byte) string {
	const most = 8 << 10
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return strings.ReplaceAll(string(b), "\r", "")
}
