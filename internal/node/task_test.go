package node

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

func TestCommand(t *testing.T) {
	img := api.ImageConfig{Entrypoint: []string{"entry"}, Command: []string{"cmd"}}
	tests := map[string]struct {
		spec api.InstanceSpec
		img  api.ImageConfig
		want []string
	}{
		"the image's":                      {api.InstanceSpec{}, img, []string{"entry", "cmd"}},
		"own command":                      {api.InstanceSpec{Command: []string{"x"}}, img, []string{"entry", "x"}},
		"own entrypoint drops the command": {api.InstanceSpec{Entrypoint: []string{"e"}}, img, []string{"e"}},
		"both own":                         {api.InstanceSpec{Entrypoint: []string{"e"}, Command: []string{"x"}}, img, []string{"e", "x"}},
		"cleared entrypoint":               {api.InstanceSpec{Entrypoint: []string{""}, Command: []string{"x"}}, img, []string{"x"}},
		"cleared entrypoint, no command":   {api.InstanceSpec{Entrypoint: []string{""}}, img, nil},
		"command only":                     {api.InstanceSpec{}, api.ImageConfig{Command: []string{"c"}}, []string{"c"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := command(&tt.spec, tt.img); !slices.Equal(got, tt.want) {
				t.Errorf("command = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	got := environment(engine.Task{Hostname: "h", TTY: true},
		[]string{"PATH=/bin", "LANG=C", "DROP=1"},
		[]string{"LANG=de", "A=1=2", "DROP", "NEVER", "EMPTY="})
	want := []string{"PATH=/bin", "HOSTNAME=h", "TERM=xterm", "LANG=de", "A=1=2", "EMPTY="}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTask(t *testing.T) {
	in := &api.Instance{Meta: api.Meta{ID: "i", Name: "web"}, Spec: api.InstanceSpec{User: "me"}}
	got, err := task(in, api.ImageConfig{Command: []string{"c"}, User: "root", WorkingDir: "/srv"}, "/d/i", "web")
	if err != nil {
		t.Fatal(err)
	}
	if got.User != "me" || got.WorkingDir != "/srv" || got.Hostname != "web" || got.Log != "/d/i/log" || got.Dir != "/d/i" {
		t.Errorf("%+v", got)
	}
	if _, err := task(in, api.ImageConfig{}, "/d/i", "web"); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a task without a command: %v", err)
	}
}

func TestStopSignal(t *testing.T) {
	in := &api.Instance{}
	for _, tt := range []struct{ desired, spec, image, want string }{
		{"", "", "", "SIGTERM"}, {"", "", "SIGQUIT", "SIGQUIT"}, {"", "SIGINT", "SIGQUIT", "SIGINT"}, {"SIGHUP", "SIGINT", "SIGQUIT", "SIGHUP"},
	} {
		in.Desired.StopSignal, in.Spec.StopSignal = tt.desired, tt.spec
		if got := stopSignal(in, tt.image); got != tt.want {
			t.Errorf("stopSignal(%+v) = %s", tt, got)
		}
	}
}

func TestImageVolumes(t *testing.T) {
	own := []api.Mount{{Type: api.MountTmpfs, Target: "/cache/"}}
	got := withImageVolumes(own, []string{"/data", "/cache", "/a"})
	want := append(slices.Clone(own), api.Mount{Type: api.MountVolume, Target: "/a"}, api.Mount{Type: api.MountVolume, Target: "/data"})
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestBackoff(t *testing.T) {
	for quick, want := range map[int]time.Duration{
		-1: 0, 0: 0, 1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 10: 51200 * time.Millisecond, 11: time.Minute, 1 << 20: time.Minute,
	} {
		if got := backoff(quick); got != want {
			t.Errorf("backoff(%d) = %s, want %s", quick, got, want)
		}
	}
}

func TestRestarts(t *testing.T) {
	for _, tt := range []struct {
		policy     string
		max        int
		code, done int
		want       bool
	}{
		{"", 0, 1, 0, false}, {"no", 0, 1, 0, false}, {"always", 0, 0, 9, true}, {"unless-stopped", 0, 0, 9, true},
		{"on-failure", 0, 0, 0, false}, {"on-failure", 0, 1, 99, true}, {"on-failure", 2, 1, 1, true}, {"on-failure", 2, 1, 2, false},
	} {
		if got := restarts(api.RestartPolicy{Policy: tt.policy, MaxRetries: tt.max}, tt.code, tt.done); got != tt.want {
			t.Errorf("restarts(%+v) = %v", tt, got)
		}
	}
}

func TestProbed(t *testing.T) {
	start := time.Unix(1000, 0)
	c := &api.HealthCheck{StartPeriod: api.Duration(10 * time.Second), Retries: 2}
	h := api.HealthStatus{State: api.HealthStarting}
	probe := func(after time.Duration, code int) {
		h = probed(h, c, api.HealthProbe{Start: start.Add(after), ExitCode: code}, start)
	}
	want := func(state string, failures, log int) {
		t.Helper()
		if h.State != state || h.Failures != failures || len(h.Log) != log {
			t.Fatalf("%+v, want %s, %d failures, %d probes", h, state, failures, log)
		}
	}
	probe(time.Second, 1)
	want(api.HealthStarting, 0, 1) // does not count
	probe(2*time.Second, 0)
	want(api.HealthHealthy, 0, 2)
	probe(3*time.Second, 1)
	want(api.HealthHealthy, 1, 3) // counts since it has been healthy
	probe(4*time.Second, 1)
	want(api.HealthUnhealthy, 2, 4)
	probe(5*time.Second, 0)
	want(api.HealthHealthy, 0, 5)
	probe(6*time.Second, 0)
	want(api.HealthHealthy, 0, 5)
	if !h.Log[4].Start.Equal(start.Add(6 * time.Second)) {
		t.Error("the newest probe is not last")
	}
}
