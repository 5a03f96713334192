package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shop uses a bit of everything that config lists.
const shop = `
name: shop
services:
  web: {image: nginx, depends_on: [app]}
  app: {image: app, networks: [back], volumes: ["data:/d"]}
  twin: {image: app, networks: [back], profiles: [two, one]}
networks: {back: {}}
volumes: {data: {}}
`

// run runs the command on a file and returns what it writes.
func run(t *testing.T, yaml string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, err strings.Builder
	status = Main(append([]string{args[0], "--file", file}, args[1:]...), &out, &err)
	return out.String(), err.String(), status
}

func TestConfigLists(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--services", "app\nweb\n"},
		{"--images", "app\nnginx\n"},
		{"--images web", "app\nnginx\n"},
		{"--volumes", "data\n"},
		{"--networks", "back\ndefault\n"},
		{"--profiles", "one\ntwo\n"},
		{"--profile two --services", "app\ntwin\nweb\n"},
		{"-q", ""},
	} {
		got, stderr, status := run(t, shop, append([]string{"config"}, strings.Fields(c.args)...)...)
		if got != c.want || status != 0 || stderr != "" {
			t.Errorf("config %s: %q, want %q (%d, %s)", c.args, got, c.want, status, stderr)
		}
	}
	hashes, _, _ := run(t, shop, "config", "--hash", "*")
	one, _, _ := run(t, shop, "config", "--hash", "web")
	if lines := strings.Split(hashes, "\n"); len(lines) != 3 || lines[1]+"\n" != one || len(one) < 20 {
		t.Errorf("hashes %q, that of web %q", hashes, one)
	}
}

func TestConfigFormats(t *testing.T) {
	for _, args := range [][]string{{"config", "--format", "json"}, {"config", "--json"}} {
		got, stderr, _ := run(t, shop, args...)
		var p struct {
			Name     string
			Services map[string]struct{ Image string }
		}
		if err := json.Unmarshal([]byte(got), &p); err != nil || p.Name != "shop" || p.Services["web"].Image != "nginx" {
			t.Errorf("%v: %v, %+v %s", args, err, p, stderr)
		}
	}
	yaml, _, _ := run(t, shop, "config")
	named, _, _ := run(t, shop, "config", "--format", "yaml")
	if !strings.HasPrefix(yaml, "name: shop\n") || named != yaml {
		t.Errorf("%q and %q", yaml, named)
	}
	file := filepath.Join(t.TempDir(), "out")
	if out, stderr, status := run(t, shop, "config", "-o", file); out != "" || status != 0 {
		t.Fatalf("-o: %q %s", out, stderr)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != yaml {
		t.Errorf("-o wrote %q (%v)", b, err)
	}
}

// Flags that are wrong are refused before the daemon is asked: there is none.
func TestRefusedFlags(t *testing.T) {
	for _, c := range []struct {
		args   string
		want   string
		status int
	}{
		{"config --format xml", `--format "xml": want yaml or json`, 2},
		{"config --hash wep", `there is no service "wep"`, 3},
		{"up --scale web", `--scale "web": want SERVICE=NUMBER`, 2},
		{"up --scale web=-1", `--scale "web=-1": want SERVICE=NUMBER`, 2},
		{"up --scale wep=1", `there is no service "wep" to scale`, 3},
		{"up --no-deps", "--no-deps needs the names of services", 2},
		{"up --no-recreate --force-recreate", "exclude each other", 2},
		{"up --pull daily", `--pull "daily": want missing, always or never`, 2},
		{"up --build", "virga builds no images", 8},
		{"watch wep", "no such service: wep", 2},
	} {
		out, stderr, status := run(t, shop, strings.Fields(c.args)...)
		if !strings.Contains(stderr, c.want) || status != c.status || out != "" {
			t.Errorf("%s: %d %s, want %d %s", c.args, status, stderr, c.status, c.want)
		}
	}
}
