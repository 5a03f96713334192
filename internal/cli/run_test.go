package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/virga-cloud/virga/api"
)

// ended is a session that says text and ends with an exit code.
func ended(code int, text string) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, c *websocket.Conn) {
		sendControl(ctx, c, api.SessionControl{Ready: true})
		sendOutput(ctx, c, api.StreamStdout, text)
		sendOutput(ctx, c, api.StreamStderr, "err")
		sendControl(ctx, c, api.SessionControl{ExitCode: &code})
	}
}

func TestRunPassesOutputAndExitCodeInOneCall(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"debian:12"}}}
	f.session = ended(42, "hello")
	status, out, errs := f.virga("", "run", "--rm", "debian:12", "echo", "-n", "hello")
	if status != 42 || out != "hello" || errs != "err" {
		t.Errorf("status %d, output %q, errors %q", status, out, errs)
	}
	if f.conns != 1 || len(f.calls) != 1 || f.calls[0] != "GET /run" {
		t.Errorf("%d connections, calls:\n%s", f.conns, f.called())
	}
	if s := f.specs[0].Spec; !s.AutoRemove || cmp.Diff([]string{"echo", "-n", "hello"}, s.Command) != "" {
		t.Errorf("spec %+v", s)
	}
}

func TestRunSendsStandardInput(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"debian:12"}}}
	input := make(chan string, 1)
	f.session = func(ctx context.Context, c *websocket.Conn) {
		input <- readInput(ctx, c)
		ended(0, "")(ctx, c)
	}
	if status, _, errs := f.virga("some text", "run", "-i", "debian:12"); status != 0 {
		t.Errorf("status %d, %s", status, errs)
	}
	if got := <-input; got != "some text" {
		t.Errorf("input %q", got)
	}
}

func TestRunPullsAMissingImage(t *testing.T) {
	f := newFake(t)
	status, out, errs := f.virga("", "run", "-d", "debian:12")
	if status != 0 || out != "abcdefghijklmnop\n" || !strings.Contains(errs, "l1: downloading (2 KiB)") {
		t.Errorf("status %d, output %q, errors %q", status, out, errs)
	}
	f = newFake(t)
	f.session = ended(0, "hello")
	if status, out, errs := f.virga("", "run", "debian:12"); status != 0 || out != "hello" {
		t.Errorf("status %d, output %q, errors %q", status, out, errs)
	}
	f = newFake(t)
	if status, _, _ := f.virga("", "run", "--pull", "never", "debian:12"); status != exitVirga {
		t.Errorf("--pull never: status %d", status)
	}
}

func TestRunStatusOfWhatCannotStart(t *testing.T) {
	for want, e := range map[int]*api.Error{
		exitNoCommand:     api.Errorf(api.CodeNotFound, "no such command").InField("spec.command"),
		exitNotExecutable: api.Errorf(api.CodeInvalid, "permission denied").InField("spec.command"),
		exitVirga:         api.Errorf(api.CodeInsufficientCapacity, "no memory"),
	} {
		f := newFake(t)
		f.images = []api.Image{{Names: []string{"debian:12"}}}
		f.session = func(ctx context.Context, c *websocket.Conn) { sendControl(ctx, c, api.SessionControl{Error: e}) }
		status, _, errs := f.virga("", "run", "--rm", "debian:12", "x")
		if status != want || !strings.HasPrefix(errs, "virga: "+e.Message) {
			t.Errorf("status %d, want %d; %s", status, want, errs)
		}
		if !strings.Contains(f.called(), "DELETE /instances/abcdefghijklmnop?force=true&volumes=true") {
			t.Errorf("the instance was left:\n%s", f.called())
		}
	}
}

func TestCreateSpec(t *testing.T) {
	f := newFake(t)
	f.images = []api.Image{{Names: []string{"i"}}}
	dir := t.TempDir()
	envFile, cid := filepath.Join(dir, "env"), filepath.Join(dir, "cid")
	if err := os.WriteFile(envFile, []byte("# comment\nA=1\nOWN\nNOT_SET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := f.virga("", "create", "--name", "web", "-h", "host", "-e", "B=2", "-e", "OWN", "--env-file", envFile,
		"-v", "data:/data:ro", "--tmpfs", "/t:size=1m", "-p", "8080:80", "--ip", "10.0.0.5", "--network-alias", "w",
		"--cpus", "1.5", "-m", "512m", "--memory-swap", "-1", "--ulimit", "nofile=10:20", "--restart", "on-failure:5",
		"--health-cmd", "true", "--health-interval", "5s", "--security-opt", "apparmor=x", "--cap-drop", "ALL", "--stop-timeout", "0",
		"--entrypoint", "", "-l", "a=b", "--sysctl", "net.ipv4.ip_forward=1", "--cidfile", cid, "-it", "--init", "i", "cmd", "-x")
	if status != 0 {
		t.Fatal(errs)
	}
	if !strings.Contains(errs, "warning: --security-opt apparmor=x is ignored") {
		t.Errorf("no warning: %s", errs)
	}
	zero := api.Duration(0)
	want := api.CreateRequest{Name: "web", Labels: map[string]string{"a": "b"}, Spec: api.InstanceSpec{
		Image: "i", Entrypoint: []string{""}, Command: []string{"cmd", "-x"},
		Env: []string{"A=1", "OWN=value", "B=2", "OWN=value"}, TTY: true, Stdin: true, Init: true, StopTimeout: &zero, Hostname: "host",
		Networks: []api.Attachment{{Network: "default", Address: "10.0.0.5", Aliases: []string{"w"}}},
		Ports:    []api.Port{{HostPort: 8080, Port: 80, Protocol: "tcp"}},
		Mounts: []api.Mount{
			{Type: api.MountVolume, Source: "data", Target: "/data", ReadOnly: true}, {Type: api.MountTmpfs, Target: "/t", Size: 1 << 20},
		},
		Resources: api.Resources{CPUs: 1.5, Memory: 512 << 20, MemorySwap: -1, Ulimits: []api.Ulimit{{Name: "nofile", Soft: 10, Hard: 20}}},
		Security:  api.Security{CapDrop: []string{"ALL"}, Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}},
		Restart:   api.RestartPolicy{Policy: "on-failure", MaxRetries: 5},
		Health:    &api.HealthCheck{Test: []string{"CMD-SHELL", "true"}, Interval: api.Duration(5e9)},
	}}
	if d := cmp.Diff(want, f.specs[0]); d != "" {
		t.Error(d)
	}
	if b, _ := os.ReadFile(cid); string(b) != "abcdefghijklmnop" {
		t.Errorf("cidfile has %q", b)
	}
	if status, _, _ := f.virga("", "create", "--cidfile", cid, "i"); status != api.CodeInvalid.ExitStatus() {
		t.Errorf("an existing cidfile: status %d", status)
	}
}

func TestExec(t *testing.T) {
	f := newFake(t)
	f.session = func(ctx context.Context, c *websocket.Conn) {
		_, b, err := c.Read(ctx)
		var spec api.ExecSpec
		if err != nil || json.Unmarshal(b, &spec) != nil || cmp.Diff([]string{"ls", "-l"}, spec.Command) != "" || spec.User != "www" {
			t.Errorf("spec %s, %v", b, err)
		}
		ended(7, "files")(ctx, c)
	}
	if status, out, _ := f.virga("", "exec", "-u", "www", "web", "ls", "-l"); status != 7 || out != "files" {
		t.Errorf("status %d, output %q", status, out)
	}
}
