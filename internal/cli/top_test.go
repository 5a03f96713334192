package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestTopTakesOptionsOfPs(t *testing.T) {
	f := newFake(t)
	f.instances = []api.Instance{{Meta: api.Meta{ID: "abc", Name: "web"}, Status: api.InstanceStatus{Phase: api.PhaseRunning}}}
	f.processes = []api.Process{{
		PID: 42, PPID: 7, UID: "33", CPU: 61 * time.Second, Memory: 2 << 20, Command: "nginx -g x",
		Name: "nginx", State: "S", Threads: 2, Virtual: 4 << 20,
	}}
	for options, want := range map[string]string{
		"":                       "UID PID PPID CPU MEMORY COMMAND 33 42 7 1m1s 2 MiB nginx -g x",
		"-o pid,comm":            "PID COMMAND 42 nginx",
		"o pid,user=":            "PID UID 42 33",
		"-opid,nlwp":             "PID NLWP 42 2",
		"-eo pid,rss,vsz":        "PID RSS VSZ 42 2048 4096",
		"aux":                    "UID PID %CPU VSZ RSS STAT START TIME COMMAND 33 42 - 4096 2048 S - 00:01:01 nginx -g x",
		"-ef":                    "UID PID PPID %CPU START TIME COMMAND 33 42 7 - - 00:01:01 nginx -g x",
		"-e":                     "PID STAT TIME COMMAND 42 S 00:01:01 nginx",
		"--format=pid -o args":   "PID COMMAND 42 nginx -g x",
		"-o pid --format=args,s": "PID COMMAND STAT 42 nginx -g x S",
	} {
		_, out, errs := f.virga("", append([]string{"top", "web"}, strings.Fields(options)...)...)
		if got := strings.Join(strings.Fields(out), " "); got != want {
			t.Errorf("%s: %q, want %q %s", options, got, want, errs)
		}
	}
	if _, out, _ := f.virga("", "top", "-o", "pid", "--format", "{{.PID}} {{.Threads}}", "web"); out != "42 2\n" {
		t.Error(out)
	}
	for options, want := range map[string]string{"-o colour": `no column "colour"`, "--forest": "--forest is not known", "-o": "columns are missing"} {
		if status, _, errs := f.virga("", append([]string{"top", "web"}, strings.Fields(options)...)...); status != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", options, status, errs)
		}
	}
}

func TestAgesOfProcesses(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)
	r := processRow{api.Process{CPU: 30 * time.Second, Started: now.Add(-time.Minute)}, now}
	if r.share() != "50.0" || r.start() != "11:59" || clock(r.age()) != "00:01:00" {
		t.Errorf("%s %s %s", r.share(), r.start(), clock(r.age()))
	}
	r.Started = now.Add(-49 * time.Hour)
	if r.start() != "Mar02" || clock(r.age()) != "2-01:00:00" {
		t.Errorf("%s %s", r.start(), clock(r.age()))
	}
}
