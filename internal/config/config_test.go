package config

import (
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestFile(t *testing.T) {
	tests := map[string]struct {
		file string
		want string // part of the message, "" for none
	}{
		"empty":                  {"", ""},
		"comments only":          {"# nothing\n", ""},
		"flat":                   {"data-dir: /srv/virga\nlog-level: debug\n", ""},
		"nested":                 {"data-dir: /srv/virga\nlog:\n  level: debug\n  format: json\n", ""},
		"list":                   {"dns: [9.9.9.9, 1.1.1.1]\n", ""},
		"unknown":                {"data-dir: /srv\nlog-levle: debug\n", "virga.yaml:2: there is no setting \"log-levle\""},
		"unknown in a group":     {"log:\n  colour: red\n", "virga.yaml:2: there is no setting \"log-colour\""},
		"twice":                  {"log-level: info\nlog:\n  level: debug\n", "virga.yaml:3: log-level was set in line 1 already"},
		"bad value":              {"\n\nwarm: many\n", "virga.yaml:3: warm: \"many\": want a number from 0 to 1024"},
		"out of range":           {"warm: -1\n", "want a number from 0 to 1024"},
		"more than one CPU each": {"cpu-overcommit: 0.5\n", "want a number from 1 to 1000"},
		"not a number of CPUs":   {"reserve-cpus: NaN\n", "want a number from 0 to 1024"},
		"metrics for everybody":  {"metrics-listen: 0.0.0.0:9320\n", "want an address of this machine alone"},
		"bad subnet":             {"subnet: 10.88.0.0\n", "want a subnet such as"},
		"bad level":              {"log-level: loud\n", "want debug, info, warn or error"},
		"bad name":               {"node: My_Node\n", "is not a name"},
		"small log":              {"instance-log-size: 1k\n", "want at least 64 KiB"},
		"mapping for a value":    {"data-dir: {a: b}\n", "virga.yaml:1: data-dir: want a plain value"},
		"list for a whole":       {"- data-dir\n", "want `setting: value` lines"},
		"no YAML":                {"data-dir: [\n", "virga.yaml: line"},
		"empty value":            {"data-dir:\n", "must not be empty"},
		"nested list in a dns":   {"dns: [[1.1.1.1]]\n", "want a list of plain values"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Default()
			err := c.parse("virga.yaml", []byte(tt.file))
			if tt.want == "" {
				if err != nil {
					t.Fatalf("parse: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("parse: %v, want %q", err, tt.want)
			}
			if api.CodeOf(err) != api.CodeInvalid {
				t.Errorf("code %s", api.CodeOf(err))
			}
		})
	}
}

func TestFlagsWinOverFile(t *testing.T) {
	set := flag.NewFlagSet("virgad", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	apply := Flags(set)
	if err := set.Parse([]string{"--log-level", "error", "--warm=3"}); err != nil {
		t.Fatal(err)
	}
	c := Default()
	if err := c.parse("f", []byte("log-level: debug\nlog-format: json\n")); err != nil {
		t.Fatal(err)
	}
	if err := apply(&c); err != nil {
		t.Fatal(err)
	}
	if c.LogLevel != slog.LevelError || c.LogFormat != "json" || c.Warm != 3 {
		t.Errorf("got %+v", c)
	}
}

func TestBadFlagIsRefused(t *testing.T) {
	set := flag.NewFlagSet("virgad", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	Flags(set)
	if err := set.Parse([]string{"--warm", "lots"}); err == nil || !strings.Contains(err.Error(), "want a number") {
		t.Errorf("Parse: %v", err)
	}
}

func TestDaemonsWithOtherDirectoriesDoNotMeet(t *testing.T) {
	a, b, c := Default(), Default(), Default()
	b.DataDir, c.DataDir = "/srv/one", "/srv/two"
	for _, x := range []*Config{&a, &b, &c} {
		if err := x.Complete(); err != nil {
			t.Fatal(err)
		}
	}
	if a.Prefix != "virga" || a.Socket != "/run/virga/virga.sock" || a.Cgroup != "virga" {
		t.Errorf("the only daemon's names: %+v", a)
	}
	all := []Config{a, b, c}
	for i, x := range all {
		for _, y := range all[:i] {
			if x.Prefix == y.Prefix || x.Table == y.Table || x.Cgroup == y.Cgroup || x.RunDir == y.RunDir || x.Socket == y.Socket || x.FirstSubnet.Overlaps(y.FirstSubnet) {
				t.Errorf("%s and %s meet: %+v %+v", x.DataDir, y.DataDir, x, y)
			}
		}
	}
}

func TestCompleteRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"relative data directory": func(c *Config) { c.DataDir = "virga" },
		"relative socket":         func(c *Config) { c.Socket = "virga.sock" },
		"long socket":             func(c *Config) { c.Socket = "/" + strings.Repeat("s", 120) },
		"long prefix":             func(c *Config) { c.Prefix = "abcdefg" },
	} {
		c := Default()
		change(&c)
		if err := c.Complete(); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadOfAMissingFile(t *testing.T) {
	c := Default()
	if err := c.Load(filepath.Join(t.TempDir(), "none.yaml")); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("Load: %v", err)
	}
}

// The example in contrib has every setting with its default.
func TestExampleIsCurrent(t *testing.T) {
	b, err := os.ReadFile("../../contrib/virga.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		if !strings.Contains(string(b), s.Name+":") {
			t.Errorf("contrib/virga.yaml lacks %s", s.Name)
		}
	}
	uncommented := strings.ReplaceAll(string(b), "\n#", "\n")
	c := Default()
	if err := c.parse("virga.yaml", []byte(uncommented)); err != nil {
		t.Errorf("%v", err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("log:\n  level: debug\n"))
	f.Add([]byte("dns: [1.1.1.1]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := Default()
		if c.parse("f", b) == nil {
			_ = c.Complete()
		}
	})
}

// docs/operations.md has every setting as it is here.
func TestReferenceIsCurrent(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		line := "| `" + s.Name + "` | " + s.Doc + " | " + s.Default + " |\n"
		if !strings.Contains(string(b), line) {
			t.Errorf("docs/operations.md lacks the line\n%s", line)
		}
	}
}
