package test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// After a reboot, of which nothing but the disk is left, the restart policies
// act, and what the user stopped stays stopped.
func TestReboot(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	pids := map[string]int{}
	for _, policy := range []string{"always", "unless-stopped", "on-failure", "no"} {
		d.Must(t, "run", "-d", "--name", policy, "--restart", policy, image, "sleep", "100000")
		pids[policy] = d.WaitPhase(t, policy, api.PhaseRunning).Status.PID
	}
	d.Must(t, "run", "-d", "--name", "resting", "--restart", "always", image, "sleep", "100000")
	d.Must(t, "stop", "-t", "0", "resting")

	d.Kill9(t)
	d.powerCut(t)
	d.Restart(t)

	for _, policy := range []string{"always", "unless-stopped", "on-failure"} {
		d.WaitFor(t, policy, "another process", func(in api.Instance) bool {
			return in.Status.Phase == api.PhaseRunning && in.Status.PID != pids[policy]
		})
		equal(t, "exec in "+policy, d.Must(t, "exec", policy, "echo", "back"), "back")
	}
	if in := d.WaitPhase(t, "no", api.PhaseStopped); exitCode(in) != 255 || in.Status.Reason == "" {
		t.Errorf("without a policy: exit code %d, %q", exitCode(in), in.Status.Reason)
	}
	d.WaitPhase(t, "resting", api.PhaseStopped)
}

// powerCut takes away what a power cut would: every process, mount and file
// in memory of the node.
func (d *Daemon) powerCut(t *testing.T) {
	t.Helper()
	eventually(t, "no process is left", func() (bool, string) {
		var left []string
		for _, trace := range d.traces() {
			if rest, ok := strings.CutPrefix(trace, "process "); ok {
				pid, _ := strconv.Atoi(strings.Fields(rest)[0])
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
				left = append(left, trace)
			}
		}
		return len(left) == 0, strings.Join(left, "\n")
	})
	for _, trace := range d.traces() {
		if mount, ok := strings.CutPrefix(trace, "mount "); ok {
			must(t, syscall.Unmount(mount, syscall.MNT_DETACH))
		}
	}
	hash := sha256.Sum256([]byte(d.data()))
	must(t, os.RemoveAll(fmt.Sprintf("/run/virga-%x", hash[:4])))
}
