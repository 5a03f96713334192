package container

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// running starts a task that waits for SIGTERM.
func (f *fixture) running(tk engine.Task) engine.Task {
	f.t.Helper()
	tk.Args = append(tk.Args, "term")
	s := f.start(tk)
	if _, p, err := s.Read(f.t.Context()); err != nil || !strings.Contains(string(p), "waiting") {
		f.t.Fatalf("%q, %v", p, err)
	}
	return tk
}

func TestExec(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.User = "ada"
	tk = f.running(tk)
	run := func(spec api.ExecSpec, commands ...string) ([]string, int) {
		t.Helper()
		spec.Command = append([]string{"guest", "guest"}, commands...)
		s, err := f.Exec(t.Context(), tk, spec)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		lines := output(t, s)
		code, err := s.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return lines, code
	}
	lines, code := run(api.ExecSpec{Env: []string{"A=b"}, WorkingDir: "/data"}, "id", "env A", "pwd", "hostname", "mount /tmp", "exit 9")
	if code != 9 || strings.Join(lines, "|") != "1000 1001 [2000]|b|/data|host-of-one|error: operation not permitted" {
		t.Errorf("%d %q", code, lines)
	}
	lines, _ = run(api.ExecSpec{User: "root", TTY: true, Width: 77, Height: 33}, "id", "tty", "fds")
	if len(lines) != 3 || lines[0] != "0 0 []" || lines[1] != "tty 77x33" {
		t.Errorf("%q", lines)
	}
	lines, _ = run(api.ExecSpec{User: "0", Privileged: true}, "mount /tmp")
	if lines[0] != "mounted" {
		t.Errorf("privileged: %q", lines)
	}
	for name, spec := range map[string]api.ExecSpec{
		"command":    {Command: []string{"nothing"}},
		"workingDir": {Command: []string{"guest"}, WorkingDir: "/none"},
		"user":       {Command: []string{"guest"}, User: "eve"},
	} {
		if _, err := f.Exec(t.Context(), tk, spec); api.CodeOf(err) != api.CodeInvalid && api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	ps, err := f.Processes(t.Context(), "one")
	if err != nil || len(ps) != 1 || ps[0].UID != "1000" || !strings.HasPrefix(ps[0].Command, "guest guest") {
		t.Errorf("%+v %v", ps, err)
	}
	f.stop(tk)
	if _, err := f.Exec(t.Context(), tk, api.ExecSpec{Command: []string{"guest"}}); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("exec in a stopped instance: %v", err)
	}
}

func (f *fixture) stop(tk engine.Task) engine.Exit {
	f.t.Helper()
	if err := f.Signal(f.t.Context(), tk.Instance, "TERM"); err != nil {
		f.t.Fatal(err)
	}
	x := f.exitOf(tk)
	if err := f.Forget(f.t.Context(), tk.Instance, tk.Life); err != nil {
		f.t.Fatal(err)
	}
	return x
}

func TestPauseAndKill(t *testing.T) {
	f := newFixture(t)
	tk := f.running(f.task("one"))
	if err := f.Pause(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	lives, err := f.Lives(t.Context())
	if err != nil || len(lives) != 1 || !lives[0].Paused || lives[0].Number != 1 || lives[0].Exit != nil {
		t.Errorf("%+v %v", lives, err)
	}
	if err := f.Unpause(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := f.Pause(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := f.Kill(t.Context(), "one"); err != nil { // a frozen one too
		t.Fatal(err)
	}
	if x := f.exitOf(tk); x.Code != 137 {
		t.Errorf("%+v", x)
	}
	if err := f.Signal(t.Context(), "one", "TERM"); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("signal to an ended instance: %v", err)
	}
}

func TestLimitsAgreeWithTheKernel(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.Spec.Resources = api.Resources{CPUs: 0.5, CPUShares: 512, CPUSet: "0", Memory: 64 << 20, PidsLimit: 50}
	tk = f.running(tk)
	g := f.cgroups.Group("one")
	read := func(controller, v1, v2 string) string {
		t.Helper()
		name := v1
		if f.cgroups.V1[controller] == "" {
			name = v2
		}
		b, err := os.ReadFile(filepath.Join(g.Dir(controller), name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	want := func(got, v1, v2 string) {
		t.Helper()
		if got != v1 && got != v2 {
			t.Errorf("got %q, want %q or %q", got, v1, v2)
		}
	}
	want(read("cpu", "cpu.cfs_quota_us", "cpu.max"), "5000", "5000 10000")
	want(read("cpu", "cpu.shares", "cpu.weight"), "512", "59")
	want(read("cpuset", "cpuset.cpus", "cpuset.cpus"), "0", "0")
	want(read("memory", "memory.limit_in_bytes", "memory.max"), "67108864", "67108864")
	want(read("pids", "pids.max", "pids.max"), "50", "50")
	s, err := f.Stats(t.Context(), "one")
	if err != nil || s.CPU.Limit != 0.5 || s.Memory.Limit != 64<<20 || s.Pids.Limit != 50 || s.Pids.Current < 1 || s.CPU.Usage <= 0 || s.Memory.Usage <= 0 {
		t.Errorf("%+v %v", s, err)
	}
	if err := f.Update(t.Context(), "one", api.Resources{CPUs: 1, Memory: 128 << 20, BlockIO: api.BlockIO{WriteBPS: 10 << 20}}); err != nil {
		t.Fatal(err)
	}
	want(read("cpu", "cpu.cfs_quota_us", "cpu.max"), "10000", "10000 10000")
	want(read("memory", "memory.limit_in_bytes", "memory.max"), "134217728", "134217728")
	want(read("pids", "pids.max", "pids.max"), "4096", "4096")
	if got := read("blkio", "blkio.throttle.write_bps_device", "io.max"); !strings.Contains(got, "10485760") {
		t.Errorf("block I/O: %q", got)
	}
	f.stop(tk)
}

func TestOOMIsReported(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one", "eat 200")
	tk.Spec.Resources.Memory = 48 << 20
	_, x := f.run(tk)
	if !x.OOMKilled || x.Code != 137 {
		t.Errorf("%+v", x)
	}
	tk = f.task("two", "eat 1")
	tk.Spec.Resources.Memory = 48 << 20
	if _, x := f.run(tk); x.OOMKilled || x.Code != 0 {
		t.Errorf("%+v", x)
	}
}

func TestPidsLimit(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one", "fork 100")
	tk.Spec.Resources.PidsLimit = 30
	lines, _ := f.run(tk)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "error: ") {
		t.Errorf("%q", lines)
	}
}

// A start needs a process beside the workload's own, which the limit does not
// keep.
func TestPidsLimitIsSettled(t *testing.T) {
	f := newFixture(t)
	tk := f.task("two")
	tk.Spec.Resources.PidsLimit = 40
	f.running(tk)
	s, err := f.Stats(t.Context(), "two")
	if err != nil || s.Pids.Limit != 40 {
		t.Errorf("limit %d, %v", s.Pids.Limit, err)
	}
	// What a daemon leaves that is killed before it has settled the limit.
	if err := f.cgroups.Group("two").LimitPids(41); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Start(t.Context(), tk); err != nil {
		t.Fatal(err)
	}
	if s, err = f.Stats(t.Context(), "two"); err != nil || s.Pids.Limit != 40 {
		t.Errorf("limit %d after the start was repeated, %v", s.Pids.Limit, err)
	}
}

func TestEngineTakesUpWhatRuns(t *testing.T) {
	f := newFixture(t)
	tk := f.running(f.task("one"))
	ended := f.task("two", "exit 5")
	s := f.start(ended)
	output(t, s)
	f.exitOf(ended)

	second, err := New(t.Context(), f.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	lives, err := second.Lives(t.Context())
	if err != nil || len(lives) != 2 {
		t.Fatalf("%+v %v", lives, err)
	}
	for _, l := range lives {
		if (l.Instance == "two") != (l.Exit != nil && l.Exit.Code == 5) {
			t.Errorf("%+v", l)
		}
	}
	exec, err := second.Exec(t.Context(), tk, api.ExecSpec{Command: []string{"guest", "guest", "hostname"}})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	if lines := output(t, exec); lines[0] != "host-of-one" {
		t.Errorf("%q", lines)
	}
	if again, err := second.Start(t.Context(), tk); err != nil || again.PID == 0 {
		t.Errorf("start of a life that runs: %+v, %v", again, err)
	}
	f.stop(tk)
}

func TestSupervisorLost(t *testing.T) {
	f := newFixture(t)
	tk := f.running(f.task("one"))
	pid := f.supervisor().Info().PID
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if x := f.exitOf(tk); !x.Lost {
		t.Errorf("%+v", x)
	}
	if err := f.Forget(t.Context(), "one", 1); err != nil {
		t.Error(err)
	}
	tk = f.task("two")
	f.check(tk, check{"pid", "1"})
}

func TestFiles(t *testing.T) {
	f := newFixture(t)
	archive := func(names ...string) *bytes.Buffer {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, n := range names {
			if err := w.WriteHeader(&tar.Header{Name: n, Mode: 0o644, Size: 1, Uid: 1000, Typeflag: tar.TypeReg}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	read := func(tk engine.Task, path string) string {
		t.Helper()
		var b bytes.Buffer
		if err := f.ReadFiles(t.Context(), tk, path, &b); err != nil {
			t.Fatal(err)
		}
		var all []string
		r := tar.NewReader(&b)
		for {
			h, err := r.Next()
			if err == io.EOF {
				return strings.Join(all, " ")
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, h.Name)
			if h.Uid > 60000 {
				t.Errorf("%s has the host's owner %d", h.Name, h.Uid)
			}
		}
	}
	vol := t.TempDir()
	tk := f.task("one")
	tk.Mounts = []engine.Mount{{Mount: api.Mount{Type: api.MountVolume, Target: "/vol"}, Host: vol}}
	for _, state := range []string{"stopped", "running", "stopped again"} {
		if state == "running" {
			tk = f.running(tk)
		}
		if state == "stopped again" {
			f.stop(tk)
		}
		if got := read(tk, "/data"); got != "data/ data/file data/sub/ data/sub/deep" {
			t.Errorf("%s: %q", state, got)
		}
		name := strings.ReplaceAll(state, " ", "-")
		for _, dir := range []string{"/tmp", "/vol"} {
			if err := f.WriteFiles(t.Context(), tk, dir, archive(name)); err != nil {
				t.Fatalf("%s: %v", state, err)
			}
			if got := read(tk, dir+"/"+name); got != name {
				t.Errorf("%s: %q", state, got)
			}
		}
		if err := f.WriteFiles(t.Context(), tk, "/tmp", archive("../../../../../../tmp/escaped-from-test")); err == nil {
			if _, err := os.Lstat("/tmp/escaped-from-test"); err == nil {
				t.Error("escaped")
			}
		}
		if err := f.ReadFiles(t.Context(), tk, "/none", io.Discard); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("%s: %v", state, err)
		}
		if err := f.WriteFiles(t.Context(), tk, "/data/file", archive("x")); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%s: %v", state, err)
		}
	}
	if st, err := os.Stat(filepath.Join(tk.Dir, "fs/upper/tmp/running")); err != nil || owner(st)[0] != 1000 {
		t.Errorf("owner %v, %v", owner(st), err)
	}
	if st, err := os.Stat(filepath.Join(vol, "running")); err != nil || owner(st)[0] != 1000 {
		t.Errorf("owner in volume %v, %v", owner(st), err)
	}
}

func TestCollect(t *testing.T) {
	f := newFixture(t)
	tk := f.running(f.task("one"))
	res, err := f.Resources(t.Context())
	if err != nil || len(res) != 2 {
		t.Fatalf("%+v %v", res, err)
	}
	for _, r := range res {
		if r.Owner != "one" {
			t.Errorf("%+v", r)
		}
		if err := f.Collect(t.Context(), r); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	f.exitOf(tk)
	if res, err := f.Resources(t.Context()); err != nil || len(res) != 0 {
		t.Errorf("%+v %v", res, err)
	}
}
