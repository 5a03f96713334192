package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
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

	// What was answered with success is a promise.
	promised := map[string]string{} // name → what has to be true at the end
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range total {
			name := fmt.Sprintf("soak-%d", i)
			switch i % 3 {
			case 0: // runs on
				if d.CLI("run", "-d", "--name", name, image, "sleep", "100000").Code == 0 {
					promised[name] = "runs"
				}
			case 1: // ends by itself
				if d.CLI("run", "-d", "--name", name, image, "sh", "-c", fmt.Sprintf("exit %d", i%200)).Code == 0 {
					promised[name] = "ended"
				}
			case 2: // is removed
				if d.CLI("run", "-d", "--name", name, image, "sleep", "100000").Code == 0 && d.CLI("rm", "-f", name).Code == 0 {
					promised[name] = "gone"
				}
			}
		}
	}()
	kills := 0
	for running := true; running; {
		// The moment is random on purpose; nothing is concluded from it.
		select {
		case <-done:
			running = false
		case <-time.After(time.Duration(50+rng.IntN(1000)) * time.Millisecond):
			if kills < max(total/10, 3) {
				d.Kill9(t)
				kills++
				d.Restart(t)
			}
		}
	}
	t.Logf("%d kills", kills)

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
		case "gone":
			if r := d.CLI("inspect", name); r.Code == 0 {
				t.Errorf("%s was removed and is there: %s", name, r.Stdout)
			}
		}
	}
	// As many sleepers as instances that run: none lost, none doubled.
	eventually(t, "one process for each running instance", func() (bool, string) {
		running := len(fields(d.CLI("ps", "-q").Stdout))
		sleepers := countProcesses("sleep\x00100000")
		return running == sleepers, fmt.Sprintf("%d instances, %d processes", running, sleepers)
	})
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
