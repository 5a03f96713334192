package test

import (
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestLifeOfAnInstance(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)

	id := d.Must(t, "create", "--name", "life", "--label", "tier=web", image, "sh", "-c", "trap 'exit 7' TERM; echo begun; while :; do sleep 0.1; done")
	in := d.Inspect(t, "life")
	equal(t, "id", in.ID, id)
	equal(t, "phase", string(in.Status.Phase), string(api.PhaseCreated))

	d.Must(t, "start", "life")
	in = d.WaitPhase(t, id, api.PhaseRunning)
	if in.Status.PID == 0 || in.Status.Started.IsZero() || len(in.Status.Addresses) == 0 {
		t.Errorf("a running instance has a pid, a start and an address: %+v", in.Status)
	}
	contains(t, d.Must(t, "ps"), "life", "busybox")
	equal(t, "ps by label", d.Must(t, "ps", "-q", "--filter", "label=tier=web"), d.Must(t, "ps", "-q"))
	equal(t, "ps by another label", d.Must(t, "ps", "-q", "--filter", "label=tier=db"), "")
	eventually(t, "the first line of its log", func() (bool, string) {
		out := d.CLI("logs", "life").Stdout
		return out == "begun\n", out
	})
	contains(t, d.Must(t, "top", "life"), "sleep")

	d.Must(t, "pause", "life")
	d.WaitPhase(t, "life", api.PhasePaused)
	d.Must(t, "unpause", "life")
	d.WaitPhase(t, "life", api.PhaseRunning)

	// stop sends the stop signal and gives the workload time to end itself.
	d.Must(t, "stop", "life")
	in = d.WaitPhase(t, "life", api.PhaseStopped)
	if exitCode(in) != 7 {
		t.Errorf("exit code %d, want 7 of the trap", exitCode(in))
	}

	// What it wrote to its root is there after a start.
	first := in.Status.Started
	d.Must(t, "start", "life")
	in = d.WaitPhase(t, "life", api.PhaseRunning)
	if !in.Status.Started.After(first) {
		t.Error("the second start is not later than the first")
	}
	d.Must(t, "restart", "life")
	d.WaitFor(t, "life", "a third life", func(in api.Instance) bool {
		return in.Status.Phase == api.PhaseRunning && in.Status.Life >= 3
	})

	d.Must(t, "rename", "life", "afterlife")
	d.Refused(t, "inspect", "life")
	contains(t, d.Refused(t, "rm", "afterlife"), "afterlife") // it runs
	d.Must(t, "rm", "-f", "afterlife")
	d.Refused(t, "inspect", id)
	if owned := d.Owned(t, id); len(owned) > 0 {
		t.Errorf("still there after rm: %v", owned)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", "--stop-timeout", "1", image, "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
	d.waitLog(t, id, "deaf")
	d.Must(t, "stop", id)
	if in := d.WaitPhase(t, id, api.PhaseStopped); exitCode(in) != 137 {
		t.Errorf("exit code %d, want 137", exitCode(in))
	}
}

func TestStopSignalAndKillSignal(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	script := "trap 'echo usr1' USR1; trap 'exit 12' INT; echo ready; while :; do sleep 0.1; done"
	id := d.Must(t, "run", "-d", "--stop-signal", "SIGINT", image, "sh", "-c", script)
	d.waitLog(t, id, "ready")
	d.Must(t, "kill", "-s", "USR1", id)
	d.waitLog(t, id, "usr1")
	d.Must(t, "stop", id)
	if in := d.WaitPhase(t, id, api.PhaseStopped); exitCode(in) != 12 {
		t.Errorf("exit code %d, want 12 of the INT trap", exitCode(in))
	}
}

func TestWaitReturnsTheExitCode(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", image, "sh", "-c", "sleep 0.5; exit 9")
	equal(t, "wait", d.Must(t, "wait", id), "9")
	equal(t, "wait for one that ended", d.Must(t, "wait", id), "9")
}

func TestNamesAndIDs(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "create", "--name", "only-one", image, "true")
	contains(t, d.Refused(t, "create", "--name", "only-one", image, "true"), "only-one")
	equal(t, "by a beginning of the id", d.Inspect(t, id[:6]).ID, id)
	contains(t, d.Refused(t, "inspect", "nobody"), "nobody")
	unnamed := d.Inspect(t, d.Must(t, "create", image, "true"))
	if err := api.ValidateName("name", unnamed.Name); err != nil {
		t.Errorf("the name made for it: %v", err)
	}
}

func TestRmTakesAnonymousVolumesAlong(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	before := d.Must(t, "volume", "ls", "-q")
	d.Must(t, "run", "--rm", "-v", "/data", image, "true")
	equal(t, "volumes after run --rm", d.Must(t, "volume", "ls", "-q"), before)
}

func TestEventsTellWhatHappened(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.CLI("run", "--rm", "--name", "eventful", image, "sh", "-c", "exit 5")
	eventually(t, "create, start, die and remove of it", func() (bool, string) {
		var mine strings.Builder
		for line := range strings.Lines(d.CLI("events", "--since", "10m").Stdout) {
			if strings.Contains(line, "eventful") {
				mine.WriteString(line)
			}
		}
		out := mine.String()
		for _, word := range []string{"create", "start", "die", "remove"} {
			if !strings.Contains(out, word) {
				return false, out
			}
		}
		return true, out
	})
}

func TestStatsOfARunningInstance(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "busy", "--memory", "64m", image, "sh", "-c", "while :; do :; done")
	contains(t, d.Must(t, "stats", "--no-stream"), "busy")
	contains(t, d.Must(t, "stats", "--no-stream", "busy"), "busy", "64")
}

// waitLog waits until an instance's log has a line that contains text.
func (d *Daemon) waitLog(t *testing.T, name, text string) {
	t.Helper()
	eventually(t, "log of "+name+" has "+text, func() (bool, string) {
		r := d.CLI("logs", name)
		return strings.Contains(r.Stdout+r.Stderr, text), r.String()
	})
}
