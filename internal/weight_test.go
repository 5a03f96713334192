package internal

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// light are the programs that are started often or run in numbers, with the
// modules that they may bring code from. All that they link is set up at each
// start and lies in memory, so what goes into them is counted.
var light = map[string][]string{
	"cmd/virga":      {"github.com/spf13/pflag", "golang.org/x/sys", "golang.org/x/term"},
	"cmd/virga-shim": {"golang.org/x/sys"},
}

// heavy are packages that a light program does without, each with what it does
// instead.
var heavy = map[string]string{
	"archive/zip":   "images and files travel as tars",
	"crypto/tls":    "the daemon's program speaks to other machines: see internal/remote",
	"crypto/x509":   "the daemon's program speaks to other machines: see internal/remote",
	"encoding/gob":  "write JSON",
	"encoding/xml":  "write JSON",
	"expvar":        "the daemon has the metrics",
	"go/parser":     "it belongs into tests",
	"html/template": "text/template writes for terminals",
	"math/big":      "numbers fit into 64 bits",
	"net/http":      "api/client_wire.go speaks what of HTTP the daemon's socket needs",
	"regexp":        "names are matched by their beginning and end: see named in internal/cli",
	"runtime/pprof": "the daemon has it",
	"testing":       "it belongs into tests",
	"time/tzdata":   "the machine has its own",
}

// linked are the packages that a program is made of.
func linked(t *testing.T, program string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "./"+program)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", program, err)
	}
	return strings.Fields(string(out))
}

// TestPrimeIsFirst holds what makes Go set internal/cli/prime up before nearly all
// that cmd/virga links.
func TestPrimeIsFirst(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Imports}}", "./cli/prime").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "[runtime]" {
		t.Errorf("internal/cli/prime imports %s: want runtime alone", got)
	}
	if !slices.Contains(linked(t, "cmd/virga"), module+"/internal/cli/prime") {
		t.Error("cmd/virga does not import it")
	}
}

func TestLightProgramsStayLight(t *testing.T) {
	for _, program := range slices.Sorted(maps.Keys(light)) {
		packages := linked(t, program)
		if !slices.Contains(packages, "runtime") {
			t.Errorf("%s: its packages were not seen: %q", program, packages)
		}
		for _, p := range packages {
			if why := heavy[p]; why != "" {
				t.Errorf("%s links %s: %s", program, p, why)
			}
			domain, _, _ := strings.Cut(p, "/")
			if strings.Contains(domain, ".") && !slices.ContainsFunc(append(light[program], module), func(m string) bool { return p == m || strings.HasPrefix(p, m+"/") }) {
				t.Errorf("%s links %s, of none of its modules: say in light what it may bring", program, p)
			}
		}
	}
}
