package test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// terminal is a command on a terminal, as a person sits at one.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu  sync.Mutex
	out bytes.Buffer // guarded by mu
}

// Terminal runs a command on a new terminal of 100 columns and 30 rows.
func (d *Daemon) Terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience())
	s := &terminal{t: t, cmd: d.Command(ctx, args...)}
	var err error
	s.tty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 30, Cols: 100})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := s.tty.Read(buf)
			s.mu.Lock()
			s.out.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.tty.Close()
		<-done
		cancel()
	})
	return s
}

// screen is everything printed so far.
func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// typed sends keys.
func (s *terminal) typed(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// expect waits until text was printed.
func (s *terminal) expect(text string) {
	s.t.Helper()
	eventually(s.t, "the terminal shows "+text, func() (bool, string) {
		out := s.screen()
		return strings.Contains(out, text), out
	})
}

// end waits for the command and returns its exit code.
func (s *terminal) end() int {
	s.t.Helper()
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func TestRunOnATerminal(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	s := d.Terminal(t, "run", "-it", "--rm", image, "sh")
	s.typed("test -t 0 && echo tty-$((1+1)); stty size\r")
	s.expect("tty-2")
	s.expect("30 100")
	// Resize the window.
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 41, Cols: 77}); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGWINCH)
	eventually(t, "the new size inside", func() (bool, string) {
		s.typed("stty size\r")
		return strings.Contains(s.screen(), "41 77"), s.screen()
	})
	// Ctrl-C reaches the program in front, not virga.
	s.typed("sleep 1000\r")
	eventually(t, "ctrl-c ends sleep and leaves the shell", func() (bool, string) {
		s.typed("\x03")
		s.typed("echo still-$((40+2))\r")
		return strings.Contains(s.screen(), "still-42"), s.screen()
	})
	s.typed("exit 6\r")
	if code := s.end(); code != 6 {
		t.Errorf("exit %d, want 6: %s", code, s.screen())
	}
}

func TestDetachAndAttachAgain(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	s := d.Terminal(t, "run", "-it", "--name", "desk", image, "sh")
	s.typed("x=remembered; echo here-$x\r")
	s.expect("here-remembered")
	s.typed("\x10\x11") // ctrl-p ctrl-q
	s.end()
	in := d.Inspect(t, "desk")
	equal(t, "phase after detaching", string(in.Status.Phase), "running")

	s = d.Terminal(t, "attach", "desk")
	eventually(t, "the shell remembers", func() (bool, string) {
		s.typed("echo again-$x\r")
		return strings.Contains(s.screen(), "again-remembered"), s.screen()
	})
	s.typed("exit 4\r")
	if code := s.end(); code != 4 {
		t.Errorf("exit %d, want 4: %s", code, s.screen())
	}
}

func TestExecOnATerminal(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "host", image, "sleep", "1000")
	s := d.Terminal(t, "exec", "-it", "host", "sh")
	s.typed("stty size\r")
	s.expect("30 100")
	s.typed("exit 5\r")
	if code := s.end(); code != 5 {
		t.Errorf("exit %d, want 5: %s", code, s.screen())
	}
}
