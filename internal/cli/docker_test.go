package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestHistory(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"app:latest"}}}
	_, out, errs := f.virga("", "image", "history", "app")
	want := "LAYER          CREATED   CREATED BY      SIZE    COMMENT\n" +
		"<none>         never     CMD [\"serve\"]   0 B     \n" +
		"0123456789ab   never     COPY app /      2 KiB   by hand\n"
	if out != want {
		t.Errorf("%s%s", out, errs)
	}
	if _, out, _ = f.virga("", "history", "-q", "--no-trunc", "app"); out != "<none>\nsha256:0123456789abcdef\n" {
		t.Error(out)
	}
	if _, out, _ = f.virga("", "history", "--json", "app"); !strings.Contains(out, `"createdBy": "COPY app /"`) {
		t.Error(out)
	}
}

func TestPsFilters(t *testing.T) {
	f := newFake(t)
	now := time.Now()
	add := func(name, image string, age time.Duration, ports ...api.Port) {
		f.instances = append(f.instances, api.Instance{
			Meta:   api.Meta{ID: name + "-id", Name: name, Created: now.Add(-age), Labels: map[string]string{"app": name}},
			Spec:   api.InstanceSpec{Image: image, Ports: ports, Mounts: []api.Mount{{Source: "data", Target: "/d"}}},
			Status: api.InstanceStatus{Phase: api.PhaseRunning, Image: "sha256:abcdef0123456789"},
		})
	}
	add("web", "nginx", 3*time.Hour, api.Port{Port: 80, HostPort: 8080})
	add("web-2", "localhost:5000/nginx:1", 2*time.Hour)
	add("db", "redis:7", time.Hour, api.Port{Port: 53, Protocol: "udp"})
	for filter, want := range map[string]string{
		"name=web":                   "web-2 web",
		"name=^web$":                 "web",
		"name=/db":                   "db",
		"name=^/db":                  "db",
		"ancestor=nginx":             "web",
		"ancestor=nginx:latest":      "web",
		"image=localhost:5000/nginx": "web-2",
		"ancestor=redis:6":           "",
		"ancestor=abcdef012345":      "db web-2 web",
		"publish=8080":               "web",
		"publish=80/tcp":             "web",
		"publish=53/tcp":             "",
		"publish=53/udp":             "db",
		"before=web-2":               "web",
		"since=web":                  "db web-2",
		"since=web-id":               "db web-2",
		"label!=app=web":             "db web-2",
		"label!=app":                 "",
		"label!=tier":                "db web-2 web",
		"publish=8000-8100/tcp":      "web",
		"status=running":             "db web-2 web",
		"status=exited":              "",
		"health=none":                "db web-2 web",
	} {
		_, out, errs := f.virga("", "ps", "--filter", filter, "--format", "{{.Names}}")
		if got := strings.Join(strings.Fields(out), " "); got != want {
			t.Errorf("%s: %q, want %q %s", filter, got, want, errs)
		}
	}
	for filter, want := range map[string]string{"publish=x": "PORT", "publish=90-80": "PORT", "status=up": "one of pending", "health=ill": "one of starting", "since=nobody": "no instance"} {
		if status, _, errs := f.virga("", "ps", "--filter", filter); status == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", filter, status, errs)
		}
	}
	f.images = []api.Image{{ID: "sha256:abcdef0123456789", Size: 2048}}
	if _, out, _ := f.virga("", "ps", "-s", "-l"); !strings.Contains(out, "SIZE") || !strings.Contains(out, "1 KiB (virtual 3 KiB)") {
		t.Error(out)
	}
	if _, out, _ := f.virga("", "ps", "-l", "--format", `{{.Label "app"}} {{.Mounts}} {{.Size}}`); out != "db data 1 KiB (virtual 3 KiB)\n" {
		t.Error(out)
	}
}

// What Docker has under another name, or not at all here, is said.
func TestDockersWords(t *testing.T) {
	f := newFake(t)
	f.instances = []api.Instance{{Meta: api.Meta{ID: "abc", Name: "web"}, Status: api.InstanceStatus{Phase: api.PhaseRunning}}}
	for command, want := range map[string]string{
		"build .":                                   "docker save",
		"image build .":                             "docker save",
		"container commit web x":                    "virga export",
		"plugin ls":                                 "no plugins",
		"inspect -f {{.Id}} web":                    "{{.ID}}",
		"volume create -d nfs x":                    "no driver but local",
		"volume create -o type=nfs x":               "size=BYTES",
		"resize --credits standard web":             "virga update --credits standard",
		"system df -v":                              "virga ps -as",
		"inspect -s web":                            "virga ps -as",
		"rm --link web":                             "--network-alias",
		"run --ipc none x":                          "every instance has a /dev/shm",
		"run --gpus all x":                          "--device",
		"run --log-driver syslog x":                 "virga logs",
		"run --log-opt tag=x y":                     "max-size",
		"run --log-opt max-file=0 y":                "number of files",
		"run --expose 80-90000 x":                   "range",
		"run --volumes-from nobody x":               "nobody",
		"run --volumes-from web:x y":                "not known",
		"inspect -f {{.State.Pid}} web":             "{{.Status.PID}}",
		"inspect -f {{.NetworkSettings.Ports}} web": "{{json .Status.Ports}}",
	} {
		if status, _, errs := f.virga("", strings.Fields(command)...); status == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", command, status, errs)
		}
	}
	for _, command := range []string{"container ls", "instance ps", "inspect --type container web"} {
		if status, out, errs := f.virga("", strings.Fields(command)...); status != 0 || !strings.Contains(out, "web") {
			t.Errorf("%s: %d %s%s", command, status, out, errs)
		}
	}
}

func TestVolumeOptions(t *testing.T) {
	f := newFake(t)
	f.virga("", "volume", "create", "--driver", "local", "--opt", "size=1g", "data")
	if !strings.Contains(f.called(), `"size":1073741824`) {
		t.Error(f.called())
	}
}

func TestTypeNetworkLimit(t *testing.T) {
	f := newFake(t)
	f.virga("", "type", "create", "-m", "1g", "--network-bps", "100m", "shared.web")
	if !strings.Contains(f.called(), `"networkBps":100000000`) {
		t.Error(f.called())
	}
}

func TestLogsTakeDockersTimes(t *testing.T) {
	f := newFake(t)
	for in, want := range map[string]string{"10m": "since=10m", "1767366245": "since=2026-01-02T", "2026-01-02": "since=2026-01-0"} {
		f.virga("", "logs", "--since", in, "web")
		if !strings.Contains(f.called(), want) {
			t.Errorf("%s: %s", in, f.called())
		}
	}
	if status, _, errs := f.virga("", "logs", "--until", "soon", "web"); status != 2 || !strings.Contains(errs, "--until") {
		t.Errorf("%d %s", status, errs)
	}
}

func TestPlatformOfWhatIsHere(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"app"}, Platform: "linux/amd64"}}
	if status, _, errs := f.virga("", "create", "--pull", "never", "--platform", "linux/arm64", "app"); status != 4 || !strings.Contains(errs, "linux/amd64") {
		t.Errorf("%d %s", status, errs)
	}
	if status, _, errs := f.virga("", "create", "--platform", "linux/arm64", "app"); status != 0 || !strings.Contains(f.called(), "POST /images/pull") {
		t.Errorf("%d %s%s", status, errs, f.called())
	}
}

func TestVersionFormat(t *testing.T) {
	f := newFake(t)
	for args, want := range map[string]string{
		"--format {{.Client.Version}}-{{.Server.Version}}-{{.Daemon.API}}": "1.2.3-4.5.6-v1\n",
		"--client -f {{.Client.OS}}":                                       "linux\n",
	} {
		if status, out, errs := f.virga("", append([]string{"version"}, strings.Fields(args)...)...); status != 0 || out != want {
			t.Errorf("%s: %d %q %s", args, status, out, errs)
		}
	}
	if _, out, _ := f.virga("", "version", "--json"); !strings.Contains(out, `"version": "4.5.6"`) {
		t.Error(out)
	}
	if status, _, errs := f.virga("", "version", "--client", "--format", "{{.Server.Version}}"); status == 0 || !strings.Contains(errs, "was not asked") {
		t.Errorf("%d %s", status, errs)
	}
}

func TestStatsOfAll(t *testing.T) {
	f := newFake(t)
	f.instances = []api.Instance{
		{Meta: api.Meta{ID: "id1", Name: "runs"}, Status: api.InstanceStatus{Phase: api.PhaseRunning}},
		{Meta: api.Meta{ID: "id2", Name: "rests"}, Status: api.InstanceStatus{Phase: api.PhaseStopped}},
	}
	f.stats = []api.Stats{{Instance: "id1", Name: "runs", Time: time.Now(), Pids: api.PidStats{Current: 3}}}
	format := []string{"stats", "--no-stream", "--interval", "100ms", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}}"}
	if _, out, errs := f.virga("", format...); out != "runs 0 B / no limit 3\n" {
		t.Errorf("%s%s", out, errs)
	}
	if _, out, errs := f.virga("", append(format, "-a")...); out != "rests - -\nruns 0 B / no limit 3\n" {
		t.Errorf("%s%s", out, errs)
	}
}

func TestRunBorrowsVolumes(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"db"}, Config: api.ImageConfig{Volumes: []string{"/lib"}}}, {Names: []string{"app"}}}
	f.instances = []api.Instance{{
		Meta: api.Meta{ID: "donor-id", Name: "donor"},
		Spec: api.InstanceSpec{Image: "db", Mounts: []api.Mount{
			{Type: api.MountBind, Source: "/srv", Target: "/srv"},
			{Type: api.MountVolume, Source: "data", Target: "/data"},
			{Type: api.MountVolume, Target: "/scratch"},
			{Type: api.MountTmpfs, Target: "/memory"},
		}},
	}}
	if status, _, errs := f.virga("", "create", "--volumes-from", "donor:ro", "-v", "other:/data", "app"); status != 0 {
		t.Fatal(errs)
	}
	want := []api.Mount{
		{Type: api.MountVolume, Source: "other", Target: "/data"},
		{Type: api.MountBind, Source: "/srv", Target: "/srv", ReadOnly: true},
		{Type: api.MountVolume, Source: api.AnonymousVolume("donor-id", "/scratch"), Target: "/scratch", ReadOnly: true},
		{Type: api.MountVolume, Source: api.AnonymousVolume("donor-id", "/lib"), Target: "/lib", ReadOnly: true},
	}
	if got := f.specs[0].Spec.Mounts; !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

func TestRunLogOptions(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"app"}}}
	if status, _, errs := f.virga("", "create", "--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3", "app"); status != 0 {
		t.Fatal(errs)
	}
	if got, want := f.specs[0].Spec.Log, (api.LogLimits{Size: 10 << 20, Files: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCreateForOneRun(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"app"}}}
	if status, _, errs := f.virga("", "create", "--rm", "app"); status != 0 || !f.specs[0].Spec.AutoRemove {
		t.Errorf("%d %s", status, errs)
	}
}

func TestPruneFilters(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	old := now.Add(-48 * time.Hour)
	for text, want := range map[string]struct{ fresh, old, labelled bool }{
		"until=24h":              {false, true, true},
		"until=2026-01-01":       {false, true, true},
		"label=keep":             {false, false, true},
		"label=keep=yes":         {false, false, true},
		"label=keep=no":          {false, false, false},
		"label!=keep":            {true, true, false},
		"label=keep label!=keep": {false, false, false},
	} {
		r, err := parsePrune(strings.Fields(text), false, now)
		if err != nil || r.All {
			t.Fatal(text, r, err)
		}
		if got := (struct{ fresh, old, labelled bool }{
			r.Takes(now, nil), r.Takes(old, nil), r.Takes(old, map[string]string{"keep": "yes"}),
		}); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	for text, all := range map[string]bool{"dangling=false": true, "dangling=true": false, "all=1": true} {
		if r, err := parsePrune([]string{text}, false, now); err != nil || r.All != all {
			t.Errorf("%s: %v, %v", text, r.All, err)
		}
	}
	for _, bad := range []string{"until=", "until=soon", "label", "name=x", "dangling=maybe"} {
		if _, err := parsePrune([]string{bad}, false, now); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
