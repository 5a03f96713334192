package test

import (
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestRestartPolicies(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	t.Run("always", func(t *testing.T) {
		d.Must(t, "run", "-d", "--name", "always", "--restart", "always", image, "true")
		d.WaitFor(t, "always", "two restarts", func(in api.Instance) bool { return in.Status.Restarts >= 2 })
		d.Must(t, "stop", "always")
		d.WaitPhase(t, "always", api.PhaseStopped)
	})
	t.Run("on-failure gives up", func(t *testing.T) {
		d.Must(t, "run", "-d", "--name", "fails", "--restart", "on-failure:2", image, "sh", "-c", "echo life; exit 3")
		in := d.WaitPhase(t, "fails", api.PhaseStopped)
		if in.Status.Restarts != 2 || exitCode(in) != 3 {
			t.Errorf("restarts %d, exit code %d; want 2 and 3", in.Status.Restarts, exitCode(in))
		}
		equal(t, "the log of all three lives", d.Must(t, "logs", "fails"), "life\nlife\nlife")
	})
	t.Run("on-failure leaves success alone", func(t *testing.T) {
		d.Must(t, "run", "-d", "--name", "fine", "--restart", "on-failure", image, "true")
		if in := d.WaitPhase(t, "fine", api.PhaseStopped); in.Status.Restarts != 0 {
			t.Errorf("restarts %d", in.Status.Restarts)
		}
	})
	t.Run("no", func(t *testing.T) {
		d.Must(t, "run", "-d", "--name", "once", image, "false")
		if in := d.WaitPhase(t, "once", api.PhaseStopped); in.Status.Restarts != 0 || exitCode(in) != 1 {
			t.Errorf("restarts %d, exit code %d", in.Status.Restarts, exitCode(in))
		}
	})
	t.Run("a killed workload is started again", func(t *testing.T) {
		d.Must(t, "run", "-d", "--name", "phoenix", "--restart", "unless-stopped", image, "sleep", "1000")
		first := d.WaitPhase(t, "phoenix", api.PhaseRunning).Status.PID
		d.Must(t, "exec", "phoenix", "sh", "-c", "kill -TERM 1; kill -INT 1; true")
		killProcess(t, first)
		d.WaitFor(t, "phoenix", "another process", func(in api.Instance) bool {
			return in.Status.Phase == api.PhaseRunning && in.Status.PID != first && in.Status.Restarts >= 1
		})
	})
}
