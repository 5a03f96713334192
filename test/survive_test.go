package test

import (
	"bufio"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func fields(s string) []string { return strings.Fields(s) }

func killProcess(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// kill -9 of the daemon under load: every instance goes on, those that ended
// meanwhile have their exit codes, no line of log is lost or doubled, and
// exec and attach work again.
func TestWorkloadsOutliveTheDaemon(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	const talkers = 4
	pids := map[string]int{}
	for i := range talkers {
		name := fmt.Sprintf("talker-%d", i)
		d.Must(t, "run", "-d", "--name", name, image, "sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.002; done")
		pids[name] = d.WaitPhase(t, name, api.PhaseRunning).Status.PID
	}
	flag := t.TempDir()
	d.Must(t, "run", "-d", "--name", "ends", "-v", flag+":/flag", image, "sh", "-c", "until [ -e /flag/go ]; do sleep 0.05; done; echo bye; exit 23")
	d.Must(t, "run", "-d", "--name", "paused", image, "sleep", "1000")
	d.Must(t, "pause", "paused")
	d.Must(t, "run", "-d", "--name", "shell", "-it", image, "sh")
	ends := d.WaitPhase(t, "ends", api.PhaseRunning).Status.PID

	d.Kill9(t)
	for name, pid := range pids {
		if err := syscall.Kill(pid, 0); err != nil {
			t.Errorf("%s (process %d) did not outlive the daemon: %v", name, pid, err)
		}
	}
	// One ends while nobody looks.
	write(t, filepath.Join(flag, "go"), "")
	eventually(t, "the process ends without a daemon", func() (bool, string) {
		err := syscall.Kill(ends, 0)
		return err != nil, fmt.Sprint(err)
	})
	d.Restart(t)

	for name, pid := range pids {
		in := d.WaitPhase(t, name, api.PhaseRunning)
		if in.Status.PID != pid {
			t.Errorf("%s: process %d is now %d", name, pid, in.Status.PID)
		}
		equal(t, "exec in "+name, d.Must(t, "exec", name, "echo", "again"), "again")
	}
	if in := d.WaitPhase(t, "ends", api.PhaseStopped); exitCode(in) != 23 {
		t.Errorf("exit code %d, want 23", exitCode(in))
	}
	equal(t, "its last words", d.Must(t, "logs", "ends"), "bye")
	d.WaitPhase(t, "paused", api.PhasePaused)
	d.Must(t, "unpause", "paused")

	s := d.Terminal(t, "attach", "shell")
	eventually(t, "attach works again", func() (bool, string) {
		s.typed("echo hello-$((1+1))\r")
		return strings.Contains(s.screen(), "hello-2"), s.screen()
	})
	s.typed("exit 3\r")
	s.end()
	if in := d.WaitPhase(t, "shell", api.PhaseStopped); exitCode(in) != 3 {
		t.Errorf("exit code %d, want 3", exitCode(in))
	}

	for name := range pids {
		d.Must(t, "stop", "-t", "0", name)
		wholeLog(t, d, name)
	}
}

// wholeLog checks that a talker's log counts up without a gap or a repetition.
func wholeLog(t *testing.T, d *Daemon, name string) {
	t.Helper()
	n := 0
	for line := range strings.Lines(d.Must(t, "logs", name) + "\n") {
		n++
		if got := strings.TrimSpace(line); got != fmt.Sprintf("line %d", n) {
			t.Fatalf("%s: line %d of the log is %q", name, n, got)
		}
	}
	if n < 10 {
		t.Errorf("%s: only %d lines", name, n)
	}
}

// A log that is followed while the daemon is restarted ends; followed again
// it has every line.
func TestFollowedLogAcrossARestart(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "talker", image, "sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	follow := d.Command(ctx, "logs", "-f", "talker")
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 1; i <= 20; i++ {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d is %q", i, lines.Text())
		}
	}
	d.Kill9(t)
	for lines.Scan() {
	}
	follow.Wait()
	d.Restart(t)
	d.Must(t, "stop", "-t", "0", "talker")
	wholeLog(t, d, "talker")
}

// A graceful stop of the daemon stops no instance either.
func TestDaemonStopsGracefully(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "stays", image, "sleep", "1000")
	pid := d.WaitPhase(t, "stays", api.PhaseRunning).Status.PID
	d.Stop(t)
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the daemon ended with %v", d.cmd.ProcessState)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the instance ended with the daemon: %v", err)
	}
	d.Restart(t)
	if in := d.WaitPhase(t, "stays", api.PhaseRunning); in.Status.PID != pid {
		t.Errorf("process %d is now %d", pid, in.Status.PID)
	}
}

// Who calls a daemon the moment it answers again finds what runs running.
func TestExecRightAfterARestart(t *testing.T) {
	d := Start(t)
	for i := range 8 {
		d.Must(t, "run", "-d", "--name", fmt.Sprint("lives", i), d.Busybox(t), "sleep", "100000")
	}
	for i := range 8 {
		d.Kill9(t)
		d.Restart(t)
		equal(t, "said", d.Must(t, "exec", fmt.Sprint("lives", i), "echo", "here"), "here")
	}
}
