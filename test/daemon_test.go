package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a condition may take to come true. It is no measure of
// speed: other work may load the machine. VIRGA_PATIENCE shortens it for who
// looks for a fault.
var patience = sync.OnceValue(func() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("VIRGA_PATIENCE")); err == nil {
		return d
	}
	return 60 * time.Second
})

// Daemon is a running virga server and the directory it lives in.
type Daemon struct {
	Dir    string // everything of this daemon
	Socket string
	Log    string // path of what it printed, over all its lives

	Flags []string // further ones of the next start

	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
}

// Start returns the node of the run, empty, and sees to it that the test
// leaves it empty and in order.
func Start(t *testing.T) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the end-to-end tests run as root")
	}
	if node == nil {
		dir, err := os.MkdirTemp("", "virga-test-")
		if err != nil {
			t.Fatal(err)
		}
		node = &Daemon{
			Dir:    dir,
			Socket: filepath.Join(dir, "virga.sock"),
			Log:    filepath.Join(dir, "daemon.log"),
		}
	}
	d := node
	if !d.alive() {
		d.Restart(t)
	}
	from := d.logSize()
	t.Cleanup(func() {
		d.leaveEmpty(t)
		if t.Failed() {
			t.Logf("the daemon's log of this test:\n%s", d.logSince(from))
		}
	})
	return d
}

// binary is the command under test: VIRGA_BIN, or what make build made.
func binary() string {
	if b := os.Getenv("VIRGA_BIN"); b != "" {
		return b
	}
	b, err := filepath.Abs("../bin/virga")
	if err != nil {
		panic(err)
	}
	return b
}

// data is the daemon's data directory.
func (d *Daemon) data() string { return filepath.Join(d.Dir, "data") }

// start starts the daemon's process and returns when it answers.
func (d *Daemon) start() error {
	log, err := os.OpenFile(d.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(binary(), append([]string{"server", "--data-dir", d.data(), "--socket", d.Socket,
		"--spot-notice", spotNotice.String(), "--spot-price-interval", "1s"}, d.Flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w (make build makes it)", err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	d.cmd, d.ended = cmd, ended
	for deadline := time.Now().Add(patience()); time.Now().Before(deadline); {
		if r := d.CLI("ps"); r.Code == 0 {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("the daemon ended: %v\n%s", cmd.ProcessState, d.logSince(0))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("the daemon does not answer:\n%s", d.logSince(0))
}

// Restart starts the daemon again where it left off.
func (d *Daemon) Restart(t *testing.T) {
	t.Helper()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
}

// Kill9 ends the daemon as a crash would.
func (d *Daemon) Kill9(t *testing.T) {
	t.Helper()
	d.signal(t, syscall.SIGKILL)
}

// Stop ends the daemon as an operator would.
func (d *Daemon) Stop(t *testing.T) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
}

func (d *Daemon) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	d.cmd.Process.Signal(s)
	select {
	case <-d.ended:
	case <-time.After(patience()):
		t.Fatalf("the daemon goes on after %v", s)
	}
}

func (d *Daemon) alive() bool {
	if d.cmd == nil {
		return false
	}
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// shutDown removes what there is and stops the daemon, at the end of the run.
func (d *Daemon) shutDown() error {
	if !d.alive() {
		if err := d.start(); err != nil {
			return err
		}
	}
	d.removeAll()
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(patience()):
		d.cmd.Process.Kill()
		return errors.New("it goes on after SIGTERM")
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("it ended with %v", d.cmd.ProcessState)
	}
	return nil
}

// leaveEmpty removes what a test made and checks that nothing stays.
func (d *Daemon) leaveEmpty(t *testing.T) {
	t.Helper()
	if !d.alive() {
		d.Restart(t)
	}
	d.removeAll()
	if left := strings.TrimSpace(d.CLI("ps", "-aq").Stdout); left != "" {
		t.Errorf("instances that cannot be removed: %s", left)
	}
	d.CheckClean(t)
}

func (d *Daemon) removeAll() {
	if ids := strings.Fields(d.CLI("ps", "-aq").Stdout); len(ids) > 0 {
		d.CLI(append([]string{"rm", "-f", "-v"}, ids...)...)
	}
	d.CLI("volume", "prune", "-f")
	d.CLI("network", "prune", "-f")
}

func (d *Daemon) logSize() int64 {
	if st, err := os.Stat(d.Log); err == nil {
		return st.Size()
	}
	return 0
}

// logSince returns what the daemon printed after offset from, at most 16 KiB.
func (d *Daemon) logSince(from int64) string {
	b, err := os.ReadFile(d.Log)
	if err != nil || from > int64(len(b)) {
		return ""
	}
	b = b[from:]
	if len(b) > 16<<10 {
		b = append([]byte("…"), b[len(b)-16<<10:]...)
	}
	return string(b)
}

// Result is what a command did.
type Result struct {
	Stdout, Stderr string
	Code           int
}

func (r Result) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", r.Code, r.Stdout, r.Stderr)
}

// Command makes a command that talks to d, to be started by the test itself.
func (d *Daemon) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary(), args...)
	cmd.Env = append(os.Environ(), "VIRGA_SOCKET="+d.Socket)
	return cmd
}

// CLI runs a command to its end.
func (d *Daemon) CLI(args ...string) Result { return d.Feed("", args...) }

// Feed runs a command with standard input.
func (d *Daemon) Feed(stdin string, args ...string) Result {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience())
	defer cancel()
	cmd := d.Command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	err := cmd.Run()
	r := Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	if ctx.Err() != nil {
		r.Stderr += "\n(the test ended it: it took too long)"
	} else if err != nil && r.Code <= 0 {
		r.Stderr += "\n(" + err.Error() + ")"
	}
	return r
}

// Must runs a command that has to succeed, and returns its trimmed output.
func (d *Daemon) Must(t *testing.T, args ...string) string {
	t.Helper()
	r := d.CLI(args...)
	if r.Code != 0 {
		t.Fatalf("virga %s: %v", strings.Join(args, " "), r)
	}
	return strings.TrimSpace(r.Stdout)
}

// Refused runs a command that has to fail with one clear message, and returns
// the message.
func (d *Daemon) Refused(t *testing.T, args ...string) string {
	t.Helper()
	r := d.CLI(args...)
	if r.Code == 0 {
		t.Fatalf("virga %s was not refused: %v", strings.Join(args, " "), r)
	}
	return oneMessage(t, r)
}
