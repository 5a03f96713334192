package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the load in a group: "load KIND ARGUMENT
// ENTRANCE…" enters the group as an instance does, and then uses what KIND
// says.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "load" {
		if err := load(os.Args[2], os.Args[3], os.Args[4:]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func load(kind, argument string, entrances []string) error {
	if len(entrances) > 0 {
		// Entering by tasks moves one thread of several. That thread becomes
		// the whole process by executing the same program again.
		runtime.LockOSThread()
		for _, e := range entrances {
			if err := os.WriteFile(e, []byte("0"), 0); err != nil {
				return err
			}
		}
		return syscall.Exec("/proc/self/exe", []string{"load", "load", kind, argument}, os.Environ())
	}
	switch kind {
	case "spin":
		for n := 0; ; n++ { // all the CPU there is
			_ = n
		}
	case "affinity":
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &set); err != nil {
			return err
		}
		fmt.Println(set.Count(), set.IsSet(0))
	case "eat":
		// More than any test's limit, and no more: where a limit does not work,
		// the test must fail and not the machine.
		for all := [][]byte{}; len(all) < 512; {
			piece := make([]byte, 1<<20)
			for i := 0; i < len(piece); i += 4096 {
				piece[i] = 1
			}
			all = append(all, piece)
		}
	case "fork":
		for n := range 50 {
			if _, err := syscall.ForkExec("/proc/self/exe", []string{"load", "load", "spin", ""}, nil); err != nil {
				fmt.Println(n, err)
				return nil
			}
		}
		fmt.Println("no limit")
	case "write":
		f, err := os.OpenFile(argument, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		for range 8 {
			if _, err := f.Write(make([]byte, 256<<10)); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
		}
		fmt.Println("written")
	default:
		return fmt.Errorf("no load %q", kind)
	}
	return nil
}

// start starts a load in the group; it is killed at the end of the test.
func start(t *testing.T, g *Group, kind, argument string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	files, err := g.Entrances()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"load", kind, argument}
	for _, f := range files {
		// A Go program has many threads, and tasks takes one.
		args = append(args, filepath.Join(filepath.Dir(f.Name()), "cgroup.procs"))
		f.Close()
	}
	var out strings.Builder
	c := exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), "GOMAXPROCS=1")
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.Kill(t.Context())
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c, &out
}
