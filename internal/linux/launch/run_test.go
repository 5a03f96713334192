package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// run builds a program with build, runs it with its output on a pipe and
// returns what it wrote and its wait status.
func run(t *testing.T, build func(b *Builder), extra ...int) (string, syscall.WaitStatus, error) {
	t.Helper()
	b := NewBuilder()
	build(b)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Decode(p.Append(nil)); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	pid, err := Run(p, append([]int{int(null.Fd()), int(w.Fd()), int(w.Fd())}, extra...))
	w.Close()
	if err != nil {
		return "", 0, err
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	return string(out), ws, nil
}

func shell(b *Builder, script string) {
	b.Exec([]string{"/bin/sh"}, []string{"sh", "-c", script}, []string{"PATH=/usr/bin:/bin", "HELLO=world"})
}

func TestRunExec(t *testing.T) {
	out, ws, err := run(t, func(b *Builder) {
		b.Stdio(false)
		shell(b, "echo $HELLO; exit 7")
	})
	if err != nil || out != "world\n" || ws.ExitStatus() != 7 {
		t.Fatalf("got %q, status %d, %v", out, ws.ExitStatus(), err)
	}
}

// What the caller handles is back to its default, what it blocks is unblocked.
// What it ignores stays ignored over execve: a supervisor handles what it was
// started with ignored, and so does this test; Go cannot handle signal 32.
func TestSignalStateIsClean(t *testing.T) {
	unheard := make(chan os.Signal, 1)
	signal.Notify(unheard)
	defer signal.Stop(unheard)
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := run(t, func(b *Builder) {
		b.Stdio(false)
		b.Exec([]string{"/bin/cat"}, []string{"cat", "/proc/self/status"}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := mask(t, out, "SigBlk"); got != 0 {
		t.Errorf("blocked signals %x", got)
	}
	if got := mask(t, out, "SigIgn") &^ mask(t, string(own), "SigIgn"); got != 0 {
		t.Errorf("ignored signals %x that the caller handles", got)
	}
}

// mask is a field of /proc/PID/status.
func mask(t *testing.T, status, field string) uint64 {
	t.Helper()
	_, rest, _ := strings.Cut(status, field+":\t")
	hex, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		t.Fatalf("%s: %v", field, err)
	}
	return n
}

func TestRegistersAndFiles(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	_, _, err = run(t, func(b *Builder) {
		at := b.File()
		b.Syscall("mkdir", unix.SYS_MKDIRAT, at, b.String("a"), Int(0o755))
		b.Try([]syscall.Errno{unix.EEXIST}, "mkdir again", unix.SYS_MKDIRAT, at, b.String("a"), Int(0o755))
		how := b.Words(Int(unix.O_PATH|unix.O_CLOEXEC), Int(0), Int(unix.RESOLVE_BENEATH))
		sub := b.Result("open a", unix.SYS_OPENAT2, at, b.String("a"), how, Int(24))
		b.Syscall("mkdir b", unix.SYS_MKDIRAT, sub, b.String("b"), Int(0o755))
		b.Close(sub)
		b.Syscall("exit", unix.SYS_EXIT_GROUP)
	}, int(dir.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir.Name(), "a/b")); err != nil {
		t.Fatal(err)
	}
}

func TestFailedStepIsNamed(t *testing.T) {
	before := openFDs(t)
	for _, fork := range []bool{false, true} {
		_, _, err := run(t, func(b *Builder) {
			if fork {
				b.Fork("new namespaces", unix.CLONE_NEWPID|unix.CLONE_NEWNS)
			}
			b.Syscall("mkdir /proc/nope", unix.SYS_MKDIRAT, Int(unix.AT_FDCWD), b.String("/proc/nope"), Int(0))
			shell(b, "echo not reached")
		})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Name != "mkdir /proc/nope" || !errors.Is(err, syscall.ENOENT) || e.ExitCode() != 0 {
			t.Errorf("fork %v: %#v", fork, err)
		}
	}
	noChildren(t)
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestForkMakesTheGrandchildOurChild(t *testing.T) {
	out, ws, err := run(t, func(b *Builder) {
		b.Fork("new namespaces", unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC)
		b.Stdio(false)
		shell(b, "echo $$; exit 3")
	})
	if err != nil || out != "1\n" || ws.ExitStatus() != 3 {
		t.Fatalf("got %q, status %d, %v", out, ws.ExitStatus(), err)
	}
	noChildren(t)
}

// A vfork child may enter a user namespace although it shares its parent's
// memory, because it is a thread group and has a working directory of its own.
func TestSetnsIntoUserNamespace(t *testing.T) {
	holder := exec.Command("sleep", "60")
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER,
		UidMappings:                []syscall.SysProcIDMap{{HostID: 300000, Size: 65536}},
		GidMappings:                []syscall.SysProcIDMap{{HostID: 300000, Size: 65536}},
		GidMappingsEnableSetgroups: true,
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", holder.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	out, _, err := run(t, func(b *Builder) {
		b.Syscall("enter user namespace", unix.SYS_SETNS, b.File(), Int(unix.CLONE_NEWUSER))
		b.Syscall("setgroups", unix.SYS_SETGROUPS, Int(0), Int(0))
		b.Syscall("setresgid", unix.SYS_SETRESGID, Int(0), Int(0), Int(0))
		b.Syscall("setresuid", unix.SYS_SETRESUID, Int(0), Int(0), Int(0))
		b.Fork("new namespaces", unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWCGROUP)
		b.Stdio(false)
		shell(b, "id -u; echo $$; cat /proc/self/uid_map")
	}, int(ns.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(out); len(got) != 5 || got[0] != "0" || got[1] != "1" || got[3] != "300000" {
		t.Fatalf("got %q", out)
	}
	noChildrenBut(t, holder.Process.Pid)
}

func TestExecSearch(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		paths []string
		code  int
	}{
		{"later candidate is found", []string{dir + "/none", plain, "/bin/true"}, 0},
		{"nothing is there", []string{dir + "/none", plain + "/below"}, 127},
		{"one is there without permission", []string{plain, dir + "/none"}, 126},
		{"the only one is a directory", []string{dir}, 126},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := run(t, func(b *Builder) { b.Exec(c.paths, []string{"x"}, nil) })
			code := 0
			if e, ok := errors.AsType[*Error](err); ok {
				code = e.ExitCode()
			}
			if code != c.code {
				t.Errorf("exit code %d of %v, want %d", code, err, c.code)
			}
		})
	}
	noChildren(t)
}

func TestRunConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			out, ws, err := run(t, func(b *Builder) {
				if i%2 == 0 {
					b.Fork("fork", unix.CLONE_NEWPID)
				}
				b.Stdio(false)
				shell(b, fmt.Sprintf("echo %d; exit %d", i, i))
			})
			if err != nil || out != fmt.Sprintln(i) || ws.ExitStatus() != i {
				t.Errorf("%d: got %q, %d, %v", i, out, ws.ExitStatus(), err)
			}
		})
	}
	wg.Wait()
	noChildren(t)
}

func openFDs(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

func noChildren(t *testing.T) { t.Helper(); noChildrenBut(t, 0) }

func noChildrenBut(t *testing.T, pid int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tasks {
		b, _ := os.ReadFile(f)
		for _, c := range strings.Fields(string(b)) {
			if c != fmt.Sprint(pid) {
				t.Errorf("child %s is left", c)
			}
		}
	}
}

// BenchmarkRun measures in pairs, a Run beside what the standard library takes
// to start the same program, and reports medians and the best.
func BenchmarkRun(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	fd := null.Fd()
	build := func(f func(pb *Builder)) *Program {
		pb := NewBuilder()
		f(pb)
		p, err := pb.Program()
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	end := build(func(pb *Builder) { pb.Syscall("exit", unix.SYS_EXIT_GROUP) })
	truth := build(func(pb *Builder) { pb.Exec([]string{"/bin/true"}, []string{"true"}, nil) })
	forked := build(func(pb *Builder) {
		pb.Fork("fork", 0)
		pb.Exec([]string{"/bin/true"}, []string{"true"}, nil)
	})
	run := func(p *Program) func() (int, error) {
		return func() (int, error) { return Run(p, []int{int(fd), int(fd), int(fd)}) }
	}
	cases := []struct {
		name  string
		start func() (int, error)
	}{
		{"exit", run(end)}, {"exec", run(truth)}, {"fork+exec", run(forked)},
		{"std", func() (int, error) {
			return syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Files: []uintptr{fd, fd, fd}})
		}},
	}
	took := make([][]time.Duration, len(cases))
	for b.Loop() {
		for i, c := range cases {
			began := time.Now()
			pid, err := c.start()
			took[i] = append(took[i], time.Since(began))
			if err != nil {
				b.Fatal(err)
			}
			waitPID(pid)
		}
	}
	for i, c := range cases {
		slices.Sort(took[i])
		b.ReportMetric(float64(took[i][len(took[i])/2].Microseconds()), c.name+"-µs")
		b.ReportMetric(float64(took[i][0].Microseconds()), c.name+"-best-µs")
	}
}
