package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/logs"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "shim-test-")
	if err != nil {
		panic(err)
	}
	if binary = os.Getenv("VIRGA_SHIM"); binary == "" { // set where there is no Go
		binary = filepath.Join(dir, "virga-shim")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../../cmd/virga-shim")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build virga-shim: %v\n%s", err, out)
			os.Exit(1)
		}
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// supervisor starts a supervisor of its own for the test and stops it, with
// whatever still runs, at the end.
func supervisor(t *testing.T) (*Client, Config) {
	t.Helper()
	dir, err := os.MkdirTemp("", "shim-")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Dir: dir, Binary: binary, Log: slog.New(slog.DiscardHandler)}
	client, err := Ensure(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		endSupervisor(t, c)
		os.RemoveAll(dir)
	})
	return client, c
}

func endSupervisor(t *testing.T, c Config) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := Connect(ctx, c.Dir)
	if err != nil {
		t.Errorf("supervisor at the end: %v", err)
		return
	}
	defer client.Close()
	ps, err := client.List(ctx)
	if err != nil {
		t.Error(err)
	}
	running := map[string]bool{}
	for _, p := range ps {
		running[p.ID] = true
		_ = client.Kill(ctx, p.ID)
	}
	for len(running) > 0 {
		p, ok := <-client.Exits()
		if !ok {
			t.Error("connection lost")
			break
		}
		delete(running, p.ID)
	}
	if err := client.ForgetAll(ctx); err != nil {
		t.Error(err)
	}
	if err := client.Stop(ctx); err != nil {
		t.Error(err)
		_ = syscall.Kill(client.Info().PID, syscall.SIGKILL)
	}
}

// script is a Start of a shell.
func script(t testing.TB, id, text string) Start {
	t.Helper()
	return Start{ID: id, Program: program(t, false, text)}
}

func program(t testing.TB, tty bool, text string) *launch.Program {
	t.Helper()
	b := launch.NewBuilder()
	b.Stdio(tty)
	b.Exec([]string{"/bin/sh"}, []string{"sh", "-c", text}, []string{"PATH=/usr/bin:/bin"})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func exit(t testing.TB, c *Client, id string) Process {
	t.Helper()
	for {
		select {
		case p, ok := <-c.Exits():
			if !ok {
				t.Fatal("connection lost")
			}
			if p.ID == id {
				return p
			}
		case <-time.After(time.Minute):
			t.Fatalf("no exit of %s", id)
		}
	}
}

// output reads a stream to its end.
func output(t testing.TB, s *Stream) (out, errs string) {
	t.Helper()
	var b [3]bytes.Buffer
	for {
		stream, p, err := s.Read(t.Context())
		if err == io.EOF {
			return b[logs.Stdout].String(), b[logs.Stderr].String()
		}
		if err != nil {
			t.Fatal(err)
		}
		b[stream].Write(p)
	}
}

func TestStartAttachExit(t *testing.T) {
	c, _ := supervisor(t)
	s, err := c.Attach(t.Context(), "a/1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pid, err := c.Start(t.Context(), script(t, "a/1", "echo out; echo err >&2; exit 3"), nil)
	if err != nil {
		t.Fatal(err)
	}
	out, errs := output(t, s)
	if out != "out\n" || errs != "err\n" {
		t.Errorf("got %q and %q", out, errs)
	}
	p := exit(t, c, "a/1")
	if p.PID != pid || !p.Ended || syscall.WaitStatus(p.Status).ExitStatus() != 3 {
		t.Errorf("got %+v", p)
	}
	if end, err := s.Wait(t.Context()); err != nil || end.Status != p.Status {
		t.Errorf("got %+v, %v", end, err)
	}
	if _, err := c.Start(t.Context(), script(t, "a/1", "true"), nil); !errors.Is(err, ErrExists) {
		t.Errorf("second start: %v", err)
	}
	if err := c.Forget(t.Context(), "a/1"); err != nil {
		t.Error(err)
	}
	if ps, err := c.List(t.Context()); err != nil || len(ps) != 0 {
		t.Errorf("left: %v, %v", ps, err)
	}
}

func TestProgramError(t *testing.T) {
	c, _ := supervisor(t)
	s, err := c.Attach(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := launch.NewBuilder()
	b.Syscall("make directory", unix.SYS_MKDIRAT, launch.Int(unix.AT_FDCWD), b.String("/proc/x"), launch.Int(0))
	b.Exec([]string{"/bin/true"}, []string{"true"}, nil)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Start(t.Context(), Start{ID: "a", Program: p}, nil)
	if e, ok := errors.AsType[*launch.Error](err); !ok || e.Name != "make directory" || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("start: %v", err)
	}
	if _, _, err := s.Read(t.Context()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("attached before: %v", err)
	}
	if ps, _ := c.List(t.Context()); len(ps) != 0 {
		t.Errorf("left: %v", ps)
	}
}

func TestFilesAreSent(t *testing.T) {
	c, _ := supervisor(t)
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	b := launch.NewBuilder()
	b.Syscall("mkdir", unix.SYS_MKDIRAT, b.File(), b.String("made"), launch.Int(0o700))
	b.Exec([]string{"/bin/true"}, []string{"true"}, nil)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(t.Context(), Start{ID: "a", Program: p}, []*os.File{dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir.Name(), "made")); err != nil {
		t.Error(err)
	}
}

func TestSignals(t *testing.T) {
	c, _ := supervisor(t)
	if _, err := c.Start(t.Context(), script(t, "a", "exec sleep 1000"), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Signal(t.Context(), "a", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if ws := syscall.WaitStatus(exit(t, c, "a").Status); !ws.Signaled() || ws.Signal() != syscall.SIGTERM {
		t.Errorf("status %x", ws)
	}
	if err := c.Signal(t.Context(), "nobody", syscall.SIGTERM); !errors.Is(err, ErrNotFound) {
		t.Errorf("signal to nobody: %v", err)
	}
}

func TestStdin(t *testing.T) {
	c, _ := supervisor(t)
	s, err := c.Attach(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := script(t, "a", "exec cat")
	start.Stdin, start.StdinOnce = true, true
	want := strings.Repeat("0123456789abcde\n", 64<<10)
	go func() {
		_, _ = s.Write([]byte(want))
		_ = s.CloseStdin()
	}()
	if _, err := c.Start(t.Context(), start, nil); err != nil {
		t.Fatal(err)
	}
	if out, _ := output(t, s); out != want {
		t.Errorf("got %d bytes of %d", len(out), len(want))
	}
}

func TestTerminal(t *testing.T) {
	c, _ := supervisor(t)
	s, err := c.Attach(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := Start{
		ID: "a", TTY: true, Stdin: true, Width: 90, Height: 30,
		Program: program(t, true, "stty size; tty -s && echo terminal; trap 'stty size; exit 5' WINCH; echo ready; while read x; do :; done"),
	}
	if _, err := c.Start(t.Context(), start, nil); err != nil {
		t.Fatal(err)
	}
	var got string
	for !strings.Contains(got, "ready") {
		_, p, err := s.Read(t.Context())
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got += string(p)
	}
	if err := s.Resize(100, 40); err != nil {
		t.Fatal(err)
	}
	// Some shells run the trap when the read returns, others at once, and are
	// gone by now.
	_, _ = s.Write([]byte("\n"))
	rest, _ := output(t, s)
	got = strings.ReplaceAll(got+rest, "\r", "")
	for _, want := range []string{"30 90\n", "terminal\n", "40 100\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if ws := syscall.WaitStatus(exit(t, c, "a").Status); ws.ExitStatus() != 5 {
		t.Errorf("status %d", ws.ExitStatus())
	}
}

// A descendant that keeps the streams open must not delay the exit.
func TestExitDoesNotWaitForDescendants(t *testing.T) {
	c, cfg := supervisor(t)
	start := script(t, "a", "sleep 1000 & echo $!; exit 4")
	start.Log = filepath.Join(cfg.Dir, "a.log")
	s, err := c.Attach(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := c.Start(t.Context(), start, nil); err != nil {
		t.Fatal(err)
	}
	if ws := syscall.WaitStatus(exit(t, c, "a").Status); ws.ExitStatus() != 4 {
		t.Errorf("status %x", ws)
	}
	log, err := os.ReadFile(start.Log)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := output(t, s)
	var child int
	if _, err := fmt.Sscan(out, &child); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
	if want := fmt.Sprintf(" stdout F %d\n", child); !strings.HasSuffix(string(log), want) {
		t.Errorf("log %q", log)
	}
}

func TestKillOnClose(t *testing.T) {
	c, _ := supervisor(t)
	s, err := c.Attach(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	start := script(t, "a", "exec sleep 1000")
	start.KillOnClose = true
	if _, err := c.Start(t.Context(), start, nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if ws := syscall.WaitStatus(exit(t, c, "a").Status); ws.Signal() != syscall.SIGKILL {
		t.Errorf("status %x", ws)
	}
}

func TestConcurrentStarts(t *testing.T) {
	c, cfg := supervisor(t)
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			start := script(t, fmt.Sprint(i), fmt.Sprintf("echo line %d; exit %d", i, i))
			start.Log = filepath.Join(cfg.Dir, fmt.Sprint(i, ".log"))
			if _, err := c.Start(t.Context(), start, nil); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	seen := map[string]bool{}
	for len(seen) < n {
		p, ok := <-c.Exits()
		if !ok {
			t.Fatal("connection lost")
		}
		if seen[p.ID] {
			t.Errorf("%s ended twice", p.ID)
		}
		seen[p.ID] = true
		if got := fmt.Sprint(syscall.WaitStatus(p.Status).ExitStatus()); got != p.ID {
			t.Errorf("%s exited with %s", p.ID, got)
		}
		log, _ := os.ReadFile(filepath.Join(cfg.Dir, p.ID+".log"))
		if !strings.HasSuffix(string(log), "line "+p.ID+"\n") {
			t.Errorf("log of %s: %q", p.ID, log)
		}
	}
	wg.Wait()
	if err := c.ForgetAll(t.Context()); err != nil {
		t.Fatal(err)
	}
}
