package compose

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/virga-cloud/virga/api"
)

var update = flag.Bool("update", false, "write the golden files")

var hashes = regexp.MustCompile(`("virga.compose.config-hash": )"[0-9a-f]{16}"`)

// load reads and translates a file of testdata, or text written to a file.
func load(t *testing.T, file string, env map[string]string) (*Plan, error) {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	p, err := Load(t.Context(), Source{Files: []string{file}, Name: "shop"})
	if err != nil {
		return nil, err
	}
	return Translate(p, Options{FilesDir: "/files", ReadFile: os.ReadFile})
}

func text(t *testing.T, yaml string) (*Plan, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t, file, nil)
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			plan, err := load(t, file, map[string]string{"TOKEN": "s3cret", "TAG": "1.2"})
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(plan); err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(b.String(), dir, "/project")
			got = hashes.ReplaceAllString(got, `$1"…"`) // of paths, too
			golden := strings.TrimSuffix(file, ".yaml") + ".json"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("the plan differs (-update writes it):\n%s", d)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	p, err := text(t, `
services:
  db: {image: i, storage_opt: {size: 2g}, volumes: ["data:/data"]}
volumes:
  data: {driver_opts: {size: 10g, access: exclusive}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Volumes) != 1 || p.Volumes[0].Size != 10<<30 || p.Volumes[0].Access != api.AccessExclusive {
		t.Errorf("volumes %+v", p.Volumes)
	}
	if len(p.Warnings) > 0 {
		t.Errorf("warnings %v", p.Warnings)
	}
	if _, err := text(t, "services: {db: {image: i, volumes: [\"data:/d\"]}}\nvolumes: {data: {driver_opts: {size: many}}}"); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a size of many: %v", err)
	}
	if _, err := text(t, "services: {db: {image: i, storage_opt: {size: many}}}"); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a size of many: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, want string
		code       api.Code
	}{
		"circle":           {"services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n", "a -> b -> a", api.CodeInvalid},
		"not yaml":         {"services: [", "compose file", api.CodeInvalid},
		"unknown field":    {"services:\n  a: {image: x, colour: red}\n", "colour", api.CodeInvalid},
		"unknown network":  {"services:\n  a: {image: x, networks: [b]}\n", "undefined network", api.CodeInvalid},
		"same name":        {"services:\n  a_b: {image: x}\n  a.b: {image: x}\n", "would both be named shop-a-b-1", api.CodeInvalid},
		"extension":        {"services:\n  a: {image: x, x-virga: {sort: burst}}\n", "sort", api.CodeInvalid},
		"no policy":        {"services:\n  a: {image: x, x-virga: {autoscale: {max: 3}}}\n", "has no policy", api.CodeInvalid},
		"max below min":    {"services:\n  a: {image: x, x-virga: {autoscale: {min: 4, max: 3, cpu: 70}}}\n", "min 4", api.CodeInvalid},
		"shared network":   {"services:\n  a: {image: x}\n  b: {image: x, network_mode: 'service:a'}\n", "network_mode", api.CodeNotSupported},
		"external secret":  {"services:\n  a: {image: x, secrets: [s]}\nsecrets:\n  s: {external: true}\n", "external", api.CodeNotSupported},
		"variable not set": {"services:\n  a: {image: x, secrets: [s]}\nsecrets:\n  s: {environment: NOT_SET_AT_ALL}\n", "NOT_SET_AT_ALL", api.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := text(t, c.yaml)
			if err == nil || !strings.Contains(err.Error(), c.want) || api.CodeOf(err) != c.code {
				t.Errorf("error %v (%s), want %s with %q", err, api.CodeOf(err), c.code, c.want)
			}
		})
	}
}

// Whatever makes an instance what it is changes its hash, and nothing else does.
func TestHash(t *testing.T) {
	hash := func(yaml string) string {
		plan, err := text(t, "services:\n  other: {image: y}\n  a:\n    image: x\n"+yaml)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Workloads[0].Hash()
	}
	base := hash("")
	for _, same := range []string{"    develop: {}\n", "    attach: false\n", "    pull_policy: always\n", "    expose: ['80']\n"} {
		if hash(same) != base {
			t.Errorf("%q changes the hash", same)
		}
	}
	for _, other := range []string{
		"    environment: {A: b}\n", "    labels: {a: b}\n", "    command: [sh]\n", "    cpus: 1\n", "    networks: {default: {aliases: [z]}}\n",
	} {
		if hash(other) == base {
			t.Errorf("%q does not change the hash", other)
		}
	}
}

func TestWarningsNameEachFieldOnce(t *testing.T) {
	plan, err := text(t, `
services:
  a:
    image: x
    logging: {driver: syslog}
    runtime: runc
    deploy:
      placement: {constraints: [node.role == manager]}
      resources: {limits: {cpus: "0.5"}, reservations: {generic_resources: [{discrete_resource_spec: {kind: gpu, value: 1}}]}}
    healthcheck: {interval: 3s}
    networks: {default: {link_local_ips: [169.254.1.1], aliases: [b]}}
    volumes: [{type: bind, source: /a, target: /b, bind: {propagation: rshared}}]
    x-else: {may: be ignored}
networks: {default: {driver: overlay, ipam: {config: [{subnet: 10.5.0.0/24, ip_range: 10.5.0.0/25}]}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"networks.default.driver \"overlay\" is not honoured: the network is a bridge",
		"networks.default.ipam.config[0].ip_range is not honoured",
		"services.a.deploy.resources.reservations.generic_resources is not honoured",
		"services.a.healthcheck without a test is not honoured: the image's own is used as it is",
		"services.a.logging is not honoured: logs are kept on the node, not by driver \"syslog\"",
		"services.a.networks.default.link_local_ips is not honoured",
		"services.a.runtime is not honoured",
		"services.a.volumes[0].bind.propagation is not honoured",
	}
	if d := cmp.Diff(want, plan.Warnings); d != "" {
		t.Error(d)
	}
}

func TestOrderedRefusesCircles(t *testing.T) {
	_, err := ordered([]Workload{
		{Service: "a", After: []Dependency{{Service: "b"}}},
		{Service: "b", After: []Dependency{{Service: "c"}}},
		{Service: "c", After: []Dependency{{Service: "b"}}},
	})
	if err == nil || !strings.Contains(err.Error(), "b → c → b") {
		t.Errorf("error %v", err)
	}
}

// What docker compose users write about logs, name resolution and namespaces.
func TestLogsAndNamespaces(t *testing.T) {
	plan, err := text(t, `services:
  a:
    image: x
    container_name: aa
    privileged: true
    pid: host
    ipc: container:db
    dns_opt: [ndots:2]
    logging: {driver: json-file, options: {max-size: 10m, max-file: "3", compress: "true", labels: app}}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Workloads[0].Instance.Spec
	want := api.InstanceSpec{
		Log:        api.LogLimits{Size: 10 << 20, Files: 3},
		Namespaces: api.Namespaces{PID: "host", IPC: "instance:db"},
		DNSOptions: []string{"ndots:2"},
	}
	if d := cmp.Diff(want, api.InstanceSpec{Log: got.Log, Namespaces: got.Namespaces, DNSOptions: got.DNSOptions}); d != "" {
		t.Error(d)
	}
	if want := []string{"services.a.logging.options.labels is not honoured"}; !cmp.Equal(plan.Warnings, want) {
		t.Errorf("warnings %q, want %q", plan.Warnings, want)
	}
	for _, bad := range []string{"pid: 'service:db'", "ipc: none", "uts: 'container:db'", "logging: {options: {max-file: many}}", "logging: {options: {max-size: 1q}}"} {
		if _, err := text(t, "services:\n  a:\n    image: x\n    "+bad+"\n"); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
