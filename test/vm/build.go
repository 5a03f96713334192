package vm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/virga-cloud/virga/test/vm/plan"
)

// Suite is the tests of one package that run in the guest.
type Suite struct {
	Package string // from the module's root: "internal/linux/cgroup"
	Run     string // -test.run, "" for all tests
	Skip    string // -test.skip
}

// program is how the guest runs the suite.
func (s Suite) program() plan.Program {
	return plan.Program{
		Name: s.Package,
		Dir:  "/src/" + s.Package,
		Args: []string{binaryOf(s.Package), "-test.v=test2json", "-test.run=" + cmp.Or(s.Run, "^Test"), "-test.skip=" + s.Skip, "-test.timeout=12m"},
		Env:  []string{"VIRGA_BIN=/bin/virga", "VIRGA_SHIM=/bin/virga-shim", "VIRGA_PATIENCE=3m"},
	}
}

func binaryOf(pkg string) string { return "/tests/" + filepath.Base(pkg) + ".test" }

// Build makes what the machine boots from in the directory work: an initramfs
// and a disk with the tests of the suites. Without a plan, the guest offers a
// shell. module is the directory of this module, where bin/virga and the
// supervisor have been built.
func Build(ctx context.Context, module, work string, k Kernel, suites []Suite, shell bool) (Machine, error) {
	m := Machine{
		Kernel:    k.Image,
		Initramfs: filepath.Join(work, "initramfs"),
		Disk:      filepath.Join(work, "disk"),
		Console:   filepath.Join(work, "console"),
	}
	root := filepath.Join(work, "root")
	for _, d := range []string{"bin", "dev", "etc", "home", "proc", "root", "run", "sbin", "src", "sys", "tests", "tmp", "usr/bin", "var/lib", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return m, err
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777); err != nil {
		return m, err
	}
	b := builder{ctx: ctx, module: module, root: root}
	b.files(map[string]string{
		"etc/passwd":   "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
		"etc/group":    "root:x:0:\nnogroup:x:65534:\n",
		"etc/hosts":    "127.0.0.1 localhost guest\n",
		"etc/hostname": "guest\n",
	})
	if !shell {
		programs := []plan.Program{}
		for _, s := range suites {
			programs = append(programs, s.program())
		}
		text, err := json.Marshal(programs)
		if err != nil {
			return m, err
		}
		b.files(map[string]string{plan.Path: string(text)})
	}
	b.program("busybox", "bin/busybox")
	b.copy(filepath.Join(module, "bin/virga"), "bin/virga")
	b.copy(filepath.Join(module, "internal/shim/embed/files/virga-shim"), "bin/virga-shim")
	b.build("./test/vm/init", "init")
	b.tests(suites)
	if b.err != nil {
		return m, b.err
	}
	modules, err := LoadOrder(k.Modules, Needed)
	if err != nil {
		return m, err
	}
	if err := WriteInitramfs(m.Initramfs, filepath.Join(root, "init"), modules); err != nil {
		return m, err
	}
	b.run("mke2fs", "-q", "-t", "ext4", "-d", root, "-O", "quota,project", "-E", "root_owner=0:0,lazy_itable_init=1,quotatype=prjquota", m.Disk, "2G")
	return m, b.err
}

// builder fills the disk's root. The first error stays.
type builder struct {
	ctx    context.Context
	module string
	root   string
	err    error
}

func (b *builder) files(content map[string]string) {
	for name, text := range content {
		if b.err == nil {
			b.err = os.WriteFile(filepath.Join(b.root, name), []byte(text), 0o644)
		}
	}
}

func (b *builder) copy(from, to string) {
	if b.err != nil {
		return
	}
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.root, to), content, 0o755)
	}
	b.err = err
}

// program copies a program of this machine, which must be static.
func (b *builder) program(name, to string) {
	path, err := exec.LookPath(name)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.copy(path, to)
}

func (b *builder) build(pkg, to string) {
	b.run("go", "build", "-ldflags", "-s -w", "-o", filepath.Join(b.root, to), pkg)
}

// tests builds the binaries of all suites at once, which shares the work.
func (b *builder) tests(suites []Suite) {
	args := []string{"test", "-c", "-ldflags", "-s -w", "-o", filepath.Join(b.root, "tests") + "/"}
	for _, s := range suites {
		args = append(args, "./"+s.Package)
		data := filepath.Join(b.module, s.Package, "testdata")
		if _, err := os.Stat(data); err == nil && b.err == nil {
			b.err = os.CopyFS(filepath.Join(b.root, "src", s.Package, "testdata"), os.DirFS(data))
		}
	}
	if len(suites) > 0 {
		b.run("go", args...)
	}
}

func (b *builder) run(name string, args ...string) {
	if b.err != nil {
		return
	}
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Dir, cmd.Env = b.module, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.err = fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
}
