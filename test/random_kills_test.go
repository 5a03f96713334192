package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Starts and stops while the daemon is killed at random moments: no leak, no
// lost and no doubled instance. VIRGA_SOAK is the number of instances; a tenth
// as many times is the daemon killed. VIRGA_SEED repeats a run.
func TestRandomKills(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	total := 40
	if n, err := strconv.Atoi(os.Getenv("VIRGA_SOAK")); err == nil {
		total = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("VIRGA_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("VIRGA_SEED=%d VIRGA_SOAK=%d", seed, total)
	rng := rand.New(rand.NewPCG(seed, 0))

	// Other runs on the same machine have sleepers too; this one's sleep for as
	// long as nobody else's.
	sleep := strconv.Itoa(100000 + int(seed%800000))

	// What was answered with success is a promise.
	promised := map[string]string{} // name → what has to be true at the end
	var kept atomic.Int64           // how many there are
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if name, want := d.oneOf(i, image, sleep); want != "" {
				promised[name] = want
				kept.Add(1)
			}
		}
	}()
	kills := max(total/10, 5)
	for range kills {
		// The moment is random on purpose; nothing is concluded from it.
		time.Sleep(time.Duration(20+rng.IntN(600)) * time.Millisecond)
		d.Kill9(t)
		d.Restart(t)
	}
	eventually(t, "as many instances as asked for", func() (bool, string) {
		return kept.Load() >= int64(total), fmt.Sprint(kept.Load())
	})
	close(stop)
	<-done
	t.Logf("%d kills, %d instances", kills, len(promised))

	d.Kill9(t)
	d.Restart(t)
	pids := map[int]string{}
	for name, want := range promised {
		switch want {
		case "runs":
			in := d.WaitPhase(t, name, api.PhaseRunning)
			if other := pids[in.Status.PID]; other != "" {
				t.Errorf("%s and %s are one process, %d", name, other, in.Status.PID)
			}
			pids[in.Status.PID] = name
		case "ended":
			i, _ := strconv.Atoi(strings.TrimPrefix(name, "soak-"))
			if in := d.WaitPhase(t, name, api.PhaseStopped); exitCode(in) != i%200 {
				t.Errorf("%s: exit code %d, want %d", name, exitCode(in), i%200)
			}
		case "stopped":
			d.WaitPhase(t, name, api.PhaseStopped)
		case "gone":
			if r := d.CLI("inspect", name); r.Code == 0 {
				t.Errorf("%s was removed and is there: %s", name, r.Stdout)
			}
		}
	}
	// As many sleepers as instances that run: none lost, none doubled.
	eventually(t, "one process for each running instance", func() (bool, string) {
		running := len(fields(d.CLI("ps", "-q").Stdout))
		sleepers := countProcesses("sleep\x00" + sleep + "\x00")
		return running == sleepers, fmt.Sprintf("%d instances, %d processes", running, sleepers)
	})
}

// oneOf starts the i-th instance and returns what was promised of it, "" when
// a call did not succeed. Those that go on sleep for that many seconds.
func (d *Daemon) oneOf(i int, image, sleep string) (name, want string) {
	name = fmt.Sprintf("soak-%d", i)
	run := []string{"run", "-d", "--name", name, image}
	switch i % 4 {
	case 0:
		if d.CLI(append(run, "sleep", sleep)...).Code == 0 {
			return name, "runs"
		}
	case 1:
		if d.CLI(append(run, "sh", "-c", fmt.Sprintf("exit %d", i%200))...).Code == 0 {
			return name, "ended"
		}
	case 2:
		if d.CLI(append(run, "sleep", sleep)...).Code == 0 && d.CLI("rm", "-f", name).Code == 0 {
			return name, "gone"
		}
	case 3:
		if d.CLI(append(run, "sleep", sleep)...).Code == 0 && d.CLI("stop", "-t", "0", name).Code == 0 {
			return name, "stopped"
		}
	}
	return name, ""
}

// countProcesses counts processes by the beginning of their command line.
func countProcesses(cmdline string) (n int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		b, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if strings.HasPrefix(string(b), cmdline) {
			n++
		}
	}
	return n
}
