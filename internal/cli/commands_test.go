package cli

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// golden compares text with a transcript.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (rewrite it with -update):\n%s", path, d)
	}
}

// every calls f for each command of the tree.
func every(cmd *command.Command, f func(*command.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		every(c, f)
	}
}

func TestHelp(t *testing.T) {
	var all bytes.Buffer
	a := &App{Out: &all, Err: &all, Env: func(string) (string, bool) { return "", false }}
	root := a.root(groups)
	every(root, func(c *command.Command) {
		if c.Example == "" && c.Name() != "help" {
			t.Errorf("%s has no example", c.Path())
		}
		if strings.Contains(c.Path(), " instance ") && c.Name() != "prune" {
			return // the same commands again
		}
		all.WriteString("$ " + c.Path() + " --help\n")
		_ = c.Help()
		all.WriteString("\n")
	})
	golden(t, "help.txt", all.String())
}

func TestEntriesHaveTheirCommandsNames(t *testing.T) {
	a := &App{}
	for _, g := range groups {
		for _, e := range g.commands {
			if c := e.make(a); c.Name() != e.name {
				t.Errorf("entry %s makes %s", e.name, c.Name())
			}
		}
	}
}

func withInstances(t *testing.T) *fakeAPI {
	f := newFake(t)
	code := 137
	now := time.Now()
	f.instances = []api.Instance{
		{
			Meta: api.Meta{ID: "aaaaaaaaaaaaaaaa", Name: "web", Created: now.Add(-3 * time.Hour), Labels: map[string]string{"app": "w"}},
			Spec: api.InstanceSpec{Image: "nginx:1", Command: []string{"nginx", "-g", "daemon off; and much more"}},
			Status: api.InstanceStatus{Phase: api.PhaseRunning, Started: now.Add(-150 * time.Minute), Health: &api.HealthStatus{State: "healthy"},
				Ports: []api.Port{{HostPort: 8080, Port: 80, Protocol: "tcp"}}},
		},
		{
			Meta:   api.Meta{ID: "bbbbbbbbbbbbbbbb", Name: "batch", Created: now.Add(-49 * time.Hour)},
			Spec:   api.InstanceSpec{Image: "job\x1b[2J"},
			Status: api.InstanceStatus{Phase: api.PhaseStopped, Finished: now.Add(-5 * time.Minute), ExitCode: &code, OOMKilled: true},
		},
	}
	return f
}

func TestTables(t *testing.T) {
	f := withInstances(t)
	f.images = []api.Image{{ID: "sha256:0123456789abcdef", Names: []string{"localhost:5000/app:1", "app:2"}, Size: 5 << 20, Created: time.Now().Add(-72 * time.Hour)}, {ID: "sha256:ffff"}}
	var all strings.Builder
	for _, args := range [][]string{
		{"ps"}, {"ps", "-a"}, {"ps", "-aq"}, {"ps", "-a", "--no-trunc", "--format", "table {{.ID}}\t{{.Names}}\t{{.State}}"},
		{"ps", "--format", `{{.Name}} {{.Spec.Image}} {{.Ports}} {{.Labels}}`}, {"ps", "--filter", "status=exited", "-q"},
		{"ps", "-l", "-q"}, {"ps", "--filter", "colour=red"}, {"ps", "--format", "{{.Nope}}"},
		{"images"}, {"images", "app"}, {"images", "-q"},
		{"logs", "web"}, {"logs", "-t", "web"}, {"logs", "--tail", "x", "web"},
		{"wait", "web", "batch"}, {"port", "web"}, {"port", "web", "80"}, {"port", "web", "81"},
		{"rm", "web", "nobody", "batch"}, {"rm", "-f", "nobody"}, {"inspect", "nobody"}, {"inspect", "--format", "{{.Status.Phase}}", "web"},
		{"version"}, {"rnu"}, {"stop"}, {"ps", "--frob"}, {"image", "prune"},
	} {
		status, out, errs := f.virga("", args...)
		all.WriteString("$ virga " + strings.Join(args, " ") + "\n" + out)
		if errs != "" {
			all.WriteString("stderr:\n" + errs)
		}
		if status != 0 {
			all.WriteString("status " + string(rune('0'+status)) + "\n")
		}
		all.WriteString("\n")
	}
	text := all.String()
	text = strings.ReplaceAll(text, strings.TrimPrefix(runtimeVersion(f), ""), "GO")
	golden(t, "tables.txt", text)
}

// runtimeVersion is the part of version's output that differs by toolchain.
func runtimeVersion(f *fakeAPI) string {
	_, out, _ := f.virga("", "version")
	return strings.TrimSuffix(strings.TrimPrefix(out, "virga 1.2.3 ("), ")\n")
}

func TestJSON(t *testing.T) {
	f := withInstances(t)
	_, out, _ := f.virga("", "ps", "--json")
	if !strings.HasPrefix(out, "[\n") || !strings.Contains(out, `"phase": "running"`) {
		t.Errorf("ps --json: %s", out)
	}
	_, out, _ = f.virga("", "ps", "-a", "--format", "json")
	if n := strings.Count(out, "\n"); n != 2 {
		t.Errorf("ps --format json has %d lines", n)
	}
	f.instances = nil
	if _, out, _ = f.virga("", "ps", "--json"); out != "[]\n" {
		t.Errorf("an empty list is %q", out)
	}
}

func TestCompletionAsksTheDaemon(t *testing.T) {
	f := withInstances(t)
	_, out, _ := f.virga("", "__complete", "stop", "")
	if !strings.Contains(out, "web\t") || strings.Contains(out, "batch") {
		t.Errorf("completions of stop: %s", out)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if status, out, _ := f.virga("", "completion", shell); status != 0 || !strings.Contains(out, "virga") {
			t.Errorf("completion %s: status %d", shell, status)
		}
	}
}

func TestWithoutDaemon(t *testing.T) {
	var out, errs bytes.Buffer
	a := &App{Out: &out, Err: &errs, Env: func(string) (string, bool) { return "", false }}
	status := a.Run(context.Background(), []string{"--socket", "/nonexistent/s", "ps"})
	want := "virga: the daemon does not run at /nonexistent/s\nhint: start it with `virga server`, or name its socket with --socket or VIRGA_SOCKET\n"
	if status != 7 || errs.String() != want {
		t.Errorf("status %d, %s", status, errs.String())
	}
}

// The shell is offered the values that flags may have.
func TestCompletesValues(t *testing.T) {
	f := newFake(t)
	f.volumes = []api.Volume{{Meta: api.Meta{Name: "data"}}}
	f.networks = []api.Network{{Meta: api.Meta{Name: "back"}}}
	f.instances = []api.Instance{{Meta: api.Meta{ID: "abc", Name: "web"}, Spec: api.InstanceSpec{Image: "app"}, Status: api.InstanceStatus{Phase: api.PhaseRunning}}}
	f.images = []api.Image{{Names: []string{"app"}}}
	for typed, want := range map[string]string{
		"run --network ":         "back\nhost\tthe node's own\nnone\tloopback only\n:1\n",
		"run --restart=on":       "--restart=on-failure\n:1\n",
		"run -v d":               "data\n:0\n",
		"run -v /":               ":0\n",
		"create --pull a":        "always\n:1\n",
		"run --volumes-from ":    "web\trunning app\n:1\n",
		"kill -s SIGK":           "SIGKILL\n:1\n",
		"kill --signal=SIGK":     "--signal=SIGKILL\n:1\n",
		"wait --for h":           "healthy\n:1\n",
		"update --restart n":     "no\n:1\n",
		"resize --credits s":     "standard\n:1\n",
		"inspect ":               "web\trunning app\napp\ndata\nback\n:1\n",
		"inspect --type i":       "instance\nimage\n:1\n",
		"container stop ":        "web\trunning app\n:1\n",
		"container stop web ":    ":1\n",
		"run --env-file ":        ":0\n",
		"stop --signal SIGU":     "SIGUSR1\nSIGUSR2\n:1\n",
		"restart --signal SIGIN": "SIGINT\n:1\n",
	} {
		if _, out, errs := f.virga("", append([]string{"__complete"}, strings.Split(typed, " ")...)...); out != want {
			t.Errorf("%q: %q, want %q %s", typed, out, want, errs)
		}
	}
}

// The page of the commands has them all.
func TestCommandsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, e := range g.commands {
			if !slices.ContainsFunc([]string{"`", " ", "\\|"}, func(end string) bool { return strings.Contains(string(b), "`"+e.name+end) }) {
				t.Errorf("docs/cli.md says nothing of virga %s", e.name)
			}
		}
	}
}
