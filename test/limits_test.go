package test

import (
	"encoding/json"

	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestMemoryLimitAndOOMKill(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", "--name", "hungry", "--memory", "32m", image,
		"dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1")
	equal(t, "exit code", d.Must(t, "wait", id), "137")
	in := d.WaitPhase(t, id, api.PhaseStopped)
	if !in.Status.OOMKilled {
		t.Errorf("not reported as killed for want of memory: %+v", in.Status)
	}
}

func TestPidsLimit(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	r := d.CLI("run", "--rm", "--pids-limit", "10", image, "sh", "-c", "for i in $(seq 1 50); do sleep 5 & done; echo all")
	if strings.Contains(r.Stdout, "all") && !strings.Contains(r.Stderr, "fork") {
		t.Errorf("50 processes under a limit of 10: %v", r)
	}
	// The node and its neighbours are well.
	equal(t, "another instance", d.Must(t, "run", "--rm", image, "echo", "well"), "well")
}

func TestCPUQuotaHoldsBack(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "spin", "--cpus", "0.2", image, "sh", "-c", "while :; do :; done")
	eventually(t, "periods in which the quota held it back", func() (bool, string) {
		s, text := d.stats("spin")
		return s.CPU.Throttled > 3 && s.CPU.Limit == 0.2, text
	})
}

func TestLimitsChangeWhileItRuns(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "grow", "--memory", "32m", image, "sleep", "1000")
	d.Must(t, "update", "--memory", "64m", "grow")
	eventually(t, "the new limit", func() (bool, string) {
		s, text := d.stats("grow")
		return s.Memory.Limit == 64<<20, text
	})
}

func TestMoreThanTheNodeHas(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	for _, flags := range [][]string{{"--cpus", "-1"}, {"--memory", "12q"}, {"--memory", "1k"}, {"--cpuset-cpus", "900-901"}, {"--pids-limit", "many"}} {
		d.Refused(t, append(append([]string{"run", "--rm"}, flags...), image, "true")...)
	}
}

// stats reads the stats of one instance, once.
func (d *Daemon) stats(name string) (s api.Stats, text string) {
	r := d.CLI("stats", "--no-stream", "--json", name)
	out := strings.TrimSpace(r.Stdout)
	if strings.HasPrefix(out, "[") {
		var list []api.Stats
		if err := json.Unmarshal([]byte(out), &list); err == nil && len(list) == 1 {
			s = list[0]
		}
	} else if err := json.Unmarshal([]byte(out), &s); err != nil {
		return s, r.String()
	}
	return s, out
}
