package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// The first thing anyone does works with no network and no registry.
func TestHelloRunsFromTheBuiltInImage(t *testing.T) {
	d := Start(t)
	r := d.CLI("run", "--rm", "virga/hello")
	if r.Code != 0 || strings.TrimSpace(r.Stdout) == "" {
		t.Fatalf("run --rm virga/hello: %v", r)
	}
	if left := d.Must(t, "ps", "-aq"); left != "" {
		t.Errorf("--rm left %s", left)
	}
	contains(t, d.Must(t, "image", "ls"), "virga/hello")
}

func TestNodeSaysWhatItHasAndWhatItLacks(t *testing.T) {
	d := Start(t)
	var n api.Node
	if err := json.Unmarshal([]byte(d.Must(t, "node", "--json")), &n); err != nil {
		t.Fatal(err)
	}
	if n.Capacity.Physical.VCPUs <= 0 || n.Capacity.Physical.Memory <= 0 {
		t.Errorf("capacity: %+v", n.Capacity)
	}
	if len(n.Features) == 0 {
		t.Error("no features listed")
	}
	for _, f := range n.Features {
		if !f.Present && f.Cost == "" {
			t.Errorf("feature %s is missing and nothing says what that costs", f.Name)
		}
	}
	contains(t, d.Must(t, "node"), n.Name, n.Kernel)
}

func TestVersionNamesCommandAndDaemon(t *testing.T) {
	d := Start(t)
	if out := d.Must(t, "version"); strings.Count(out, "\n") < 1 {
		t.Errorf("want a line for the command and one for the daemon, have %q", out)
	}
}

func TestWithoutADaemonACommandSaysHowToStartOne(t *testing.T) {
	d := Start(t)
	msg := d.Refused(t, "--socket", filepath.Join(t.TempDir(), "none.sock"), "ps")
	contains(t, msg, "virga server")
}

func TestASecondDaemonOnTheSameDirectoryIsRefused(t *testing.T) {
	d := Start(t)
	r := d.CLI("server", "--data-dir", d.data(), "--socket", d.Socket)
	if r.Code == 0 {
		t.Fatalf("a second daemon ran: %v", r)
	}
	d.Must(t, "ps")
}

// Bad configuration is refused with the line and the remedy.
func TestServerRefusesBadConfiguration(t *testing.T) {
	d := Start(t)
	tests := []struct {
		name, config string
		flags, want  []string
	}{
		{"unknown key", "log-level: info\nno-such-key: 1\n", nil, []string{"no-such-key", "2"}},
		{"not YAML", "log-level: [\n", nil, []string{"config.yaml"}},
		{"bad value", "log-level: shouting\n", nil, []string{"shouting"}},
		{"bad flag value", "", []string{"--log-level", "shouting"}, []string{"shouting"}},
		{"unknown flag", "", []string{"--no-such-flag"}, []string{"no-such-flag"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"server", "--data-dir", filepath.Join(dir, "data"), "--socket", filepath.Join(dir, "s")}
			if tt.config != "" {
				path := filepath.Join(dir, "config.yaml")
				if err := os.WriteFile(path, []byte(tt.config), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--config", path)
			}
			contains(t, d.Refused(t, append(args, tt.flags...)...), tt.want...)
		})
	}
}
