// Package internal holds the rules that every package of the module keeps;
// its tests fail when one does not.
package internal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/virga-cloud/virga"

// mayImport says which packages of the module a package may import; "/..."
// stands for a package and all below it, and the longest line that fits a
// package counts. It is the picture of docs/architecture.md as a table: a new
// package is a new line of both.
var mayImport = map[string][]string{
	"api":                {"api/ws"},
	"api/ws":             {},
	"internal/linux/...": {"api", "internal/linux/..."},
	"internal/logs":      {},
	"internal/shim/...":  {"internal/linux/...", "internal/logs", "internal/shim/..."},

	"internal/image/...":   {"api", "internal/linux/...", "internal/image/..."},
	"internal/network/...": {"api", "internal/linux/...", "internal/engine", "internal/dns", "internal/network/..."},
	"internal/dns":         {"api", "internal/linux/..."},
	"internal/balancer":    {"api", "internal/acme", "internal/ca", "internal/control/service", "internal/control/store", "internal/dns", "internal/linux/...", "internal/network", "internal/proxy"},
	"internal/proxy/...":   {"api", "internal/linux/...", "internal/proxy/..."},
	"internal/disk/...":    {"api", "internal/linux/..."},
	"internal/volume/...":  {"api", "internal/linux/...", "internal/disk"},
	"internal/metadata":    {"api"},
	"internal/ca":          {"api"},
	"internal/acme":        {"api"},
	"internal/metrics":     {"api"},
	"internal/cpu/...":     {"api", "internal/linux/...", "internal/cpu/..."},

	"internal/engine":               {"api"},
	"internal/engine/container/...": {"api", "internal/linux/...", "internal/logs", "internal/shim", "internal/engine", "internal/engine/container/..."},

	"internal/node/...":    {"api", "internal/linux/...", "internal/engine", "internal/cpu", "internal/network", "internal/disk", "internal/volume", "internal/control/store", "internal/node/..."},
	"internal/control/...": {"api", "internal/control/..."},
	"internal/server/...":  {"api", "api/ws", "internal/engine", "internal/control/...", "internal/metadata", "internal/server/..."},
	"internal/daemon/...":  {"api", "internal/..."},

	"internal/compose":         {"api"},
	"internal/compose/deploy":  {"api", "internal/compose"},
	"internal/compose/command": {"api", "internal/command", "internal/compose/...", "internal/endpoint", "internal/remote"},

	"internal/endpoint": {"api"},
	"internal/remote":   {"api"},

	"internal/command": {},
	"internal/cli/...": {"api", "internal/cli/...", "internal/command", "internal/endpoint"},
	"internal/config":  {"api"},
	"internal/hello":   {},
	"internal/version": {},
	"cmd/virga":        {"internal/cli", "internal/cli/prime"},
	"cmd/virgad":       {"internal/daemon/...", "internal/compose/command", "internal/remote"},
	"cmd/virga-shim":   {"internal/shim/..."},
	"cmd/virga-hello":  {"internal/hello"},

	"bench/...":     {"api", "bench/...", "internal/linux/...", "internal/network"},
	"bench/sim/...": {"api", "internal/control/..."},
	"test/...":      {"api", "test/..."},
	"scripts/...":   {},
}

// everywhere may be imported by every package but api.
var everywhere = []string{"internal/version"}

// kernelPackages are the only ones that talk to the kernel in numbers and
// pointers. Elsewhere such code is in a file named *_unsafe.go, or listed in
// kernelFiles. Benchmarks make by hand what virga is compared with.
var kernelPackages = []string{"internal/linux/...", "internal/shim/supervisor/...", "bench/..."}

// kernelFiles are further files that import unsafe or x/sys/unix, each with
// the reason why its system calls are not worth a package of their own.
var kernelFiles = map[string]string{
	"internal/cli/server_unpack.go":   "an anonymous file to execute; the command stays light without internal/linux",
	"test/vm/init/module.go":          "loads modules, in a guest of the tests that has nothing else to do it",
	"internal/network/reservation.go": "a bound socket that never listens, which net cannot make",
	"internal/network/rules.go":       "the numbers of protocols",
	"internal/network/loopback.go":    "the same socket, when it listens after all",
}

// source is what a rule looks at in one file.
type source struct {
	file    string // path from the module's root
	pkg     string // directory of it
	imports []string
	doc     *ast.CommentGroup
}

func TestImportsGoDown(t *testing.T) {
	for _, s := range sources(t) {
		allowed, ok := allowedFor(s.pkg)
		if !ok {
			t.Errorf("%s: package %s is not in mayImport: say there what it may import", s.file, s.pkg)
			continue
		}
		for _, imp := range s.imports {
			rest, own := strings.CutPrefix(imp, module+"/")
			if !own {
				continue
			}
			if !slices.ContainsFunc(allowed, func(p string) bool { return matches(rest, p) }) {
				t.Errorf("%s: %s may not import %s", s.file, s.pkg, rest)
			}
		}
	}
}

func TestAPIImportsOnlyStandardLibrary(t *testing.T) {
	for _, s := range sources(t) {
		if !matches(s.pkg, "api/...") {
			continue
		}
		for _, imp := range s.imports {
			if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") && !strings.HasPrefix(imp, module+"/api/") {
				t.Errorf("%s imports %s: other programs import api, so it brings nothing along", s.file, imp)
			}
		}
	}
}

func TestKernelCallsStayAtHome(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		if !slices.Contains(s.imports, "unsafe") && !slices.Contains(s.imports, "golang.org/x/sys/unix") {
			continue
		}
		home := slices.ContainsFunc(kernelPackages, func(p string) bool { return matches(s.pkg, p) })
		if home || strings.HasSuffix(s.file, "_unsafe.go") {
			continue
		}
		if kernelFiles[s.file] == "" {
			t.Errorf("%s imports unsafe or x/sys/unix: move it to internal/linux, or give the reason in kernelFiles", s.file)
		}
		used[s.file] = true
	}
	for file := range kernelFiles {
		if !used[file] {
			t.Errorf("%s no longer needs its line in kernelFiles", file)
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.pkg] = documented[s.pkg] || s.doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment: say in doc.go what it is for and who may call it", pkg)
		}
	}
}

// allowedFor finds the longest line of mayImport that fits pkg.
func allowedFor(pkg string) ([]string, bool) {
	longest := ""
	for pattern := range mayImport {
		if matches(pkg, pattern) && len(pattern) > len(longest) {
			longest = pattern
		}
	}
	if longest == "" {
		return nil, false
	}
	if longest == "api" {
		return mayImport[longest], true
	}
	return slices.Concat(mayImport[longest], everywhere), true
}

// matches reports whether a pattern of mayImport fits pkg.
func matches(pkg, pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
	}
	return pkg == pattern
}

// sources parses every file of the module that is not a test.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "tools" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		file := strings.TrimPrefix(filepath.ToSlash(p), "../")
		s := source{file: file, pkg: path.Dir(file), doc: f.Doc}
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		found = append(found, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
