package container

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// check is a command of the guest and what it must print: the whole line, or
// its beginning when want ends with "…".
type check struct{ command, want string }

func (f *fixture) check(t engine.Task, checks ...check) {
	f.t.Helper()
	for _, c := range checks {
		t.Args = append(t.Args, c.command)
	}
	lines, x := f.run(t)
	if x.Code != 0 || len(lines) != len(checks) {
		f.t.Fatalf("exit %+v, %d lines for %d commands: %q", x, len(lines), len(checks), lines)
	}
	for i, c := range checks {
		if want, ok := strings.CutSuffix(c.want, "…"); ok && strings.HasPrefix(lines[i], want) {
			continue
		}
		if lines[i] != c.want {
			f.t.Errorf("%s: %q, want %q", c.command, lines[i], c.want)
		}
	}
}

func TestDefaultConfinement(t *testing.T) {
	f := newFixture(t)
	f.check(f.task("one"),
		check{"id", "0 0 []"},
		check{"pid", "1"},
		check{"hostname", "host-of-one"},
		check{"pwd", "/"},
		check{"env HOME", "/root"},
		check{"links", "lo"},
		check{"ls /", "bin data dev etc proc run sys tmp"},
		check{"ls /dev", ".virga core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"},
		check{"ls /sys/firmware", ""},
		check{"stat /etc/passwd", "0:0 100644"},
		check{"stat /data/file", "1000:1001 100640"},
		check{"stat /etc/hosts", "0:0 100644"},
		check{"write /tmp/new text", "written"},
		check{"stat /tmp/new", "0:0 100644"},
		check{"write /proc/sys/kernel/printk 1", "error: open /proc/sys/kernel/printk: read-only file system"},
		check{"write /sys/kernel/profiling 1", "error: open /sys/kernel/profiling: …"},
		check{"write /sys/fs/cgroup/pids/pids.max 9", "error: open /sys/fs/cgroup/pids/pids.max: …"},
		check{"open /dev/null", "opened"},
		check{"keyctl", "error: operation not permitted"},
		check{"mount /tmp", "error: operation not permitted"},
		check{"unshare", "error: operation not permitted"},
		check{"mknod /tmp/disk", "error: operation not permitted"},
		check{"fds", "0=/dev/null 1=pipe…"},
	)
	out, err := os.ReadFile(filepath.Join(f.Instances, "one/fs/upper/tmp/new"))
	if err != nil || string(out) != "text" {
		t.Fatalf("file in the writable layer: %q, %v", out, err)
	}
	if st, err := os.Stat(filepath.Join(f.Instances, "one/fs/upper/tmp/new")); err != nil || owner(st) != [2]uint32{0, 0} {
		t.Errorf("stored with owner %v, want 0:0", owner(st))
	}
}

func TestWritableLayerOutlivesALife(t *testing.T) {
	f := newFixture(t)
	first := f.task("one")
	f.check(first, check{"write /data/file changed", "written"})
	second := f.task("one") // with other ids
	second.Life = 2
	f.check(second, check{"cat /data/file", "changed"}, check{"stat /data/file", "1000:1001 100640"})
	if err := f.Remove(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(second.Dir); !os.IsNotExist(err) {
		t.Errorf("directory after remove: %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	f := newFixture(t)
	status := func(spec api.Security, user string) map[string]string {
		tk := f.task("one", "cat /proc/self/status")
		tk.Spec.Security, tk.User = spec, user
		lines, _ := f.run(tk)
		m := map[string]string{}
		for _, l := range lines {
			k, v, _ := strings.Cut(l, ":")
			m[k] = strings.TrimSpace(v)
		}
		return m
	}
	for _, c := range []struct {
		name  string
		spec  api.Security
		user  string
		field string
		want  string
	}{
		{"default", api.Security{}, "", "CapEff", "00000000a80425fb"},
		{"default bounding", api.Security{}, "", "CapBnd", "00000000a80425fb"},
		{"another user has none", api.Security{}, "ada", "CapEff", "0000000000000000"},
		{"another user has what was added", api.Security{CapAdd: []string{"net_admin"}}, "ada", "CapAmb", "0000000000001000"},
		{"drop all, add one", api.Security{CapDrop: []string{"ALL"}, CapAdd: []string{"CHOWN"}}, "", "CapEff", "0000000000000001"},
		{"no new privileges", api.Security{}, "", "NoNewPrivs", "1"},
		{"new privileges", api.Security{NewPrivileges: true}, "", "NoNewPrivs", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := status(c.spec, c.user)[c.field]; got != c.want {
				t.Errorf("%s = %q, want %q", c.field, got, c.want)
			}
		})
	}
}

func TestSeccomp(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	// With the capability, only the filter is in the way of another user.
	tk.Spec.Security = api.Security{Seccomp: `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}`, CapAdd: []string{"SYS_ADMIN"}}
	f.check(tk, check{"sethostname", "error: operation not supported"}, check{"mount /tmp", "mounted"})
	tk.Spec.Security = api.Security{Seccomp: "unconfined"}
	f.check(tk, check{"keyctl", "done"})
	tk.Spec.Security = api.Security{Seccomp: "{"}
	if _, err := f.Start(t.Context(), tk); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("broken profile: %v", err)
	}
}

func TestUser(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		user   string
		groups []string
		want   string
		home   string
	}{
		{"", nil, "0 0 []", "/root"},
		{"ada", nil, "1000 1001 [2000]", "/home/ada"},
		{"1000", nil, "1000 1001 [2000]", "/home/ada"},
		{"ada:video", nil, "1000 44 []", "/home/ada"},
		{"4000:4001", []string{"video", "7"}, "4000 4001 [7 44]", "/"},
	} {
		t.Run("user "+c.user, func(t *testing.T) {
			tk := f.task("one")
			tk.User, tk.Spec.Groups = c.user, c.groups
			f.check(tk, check{"id", c.want}, check{"env HOME", c.home})
		})
	}
}

func TestReadOnlyRoot(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.Spec.ReadOnly = true
	tk.Mounts = []engine.Mount{{Mount: api.Mount{Type: api.MountTmpfs, Target: "/scratch"}}}
	f.check(tk,
		check{"write /tmp/x y", "error: open /tmp/x: read-only file system"},
		check{"write /scratch/x y", "written"},
		check{"write /dev/shm/x y", "written"},
	)
}

func TestMounts(t *testing.T) {
	f := newFixture(t)
	bind, vol := t.TempDir(), t.TempDir()
	for _, p := range []string{filepath.Dir(bind), bind, vol} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bind, "a"), []byte("on the host"), 0o600); err != nil {
		t.Fatal(err)
	}
	tk := f.task("one")
	tk.Mounts = []engine.Mount{
		{Mount: api.Mount{Type: api.MountBind, Target: "/new/place"}, Host: bind},
		{Mount: api.Mount{Type: api.MountBind, Target: "/ro", ReadOnly: true}, Host: bind},
		{Mount: api.Mount{Type: api.MountBind, Target: "/etc/one"}, Host: filepath.Join(bind, "a")},
		{Mount: api.Mount{Type: api.MountVolume, Target: "/data"}, Host: vol, Copy: true},
		{Mount: api.Mount{Type: api.MountTmpfs, Target: "/data/inner", Size: 1 << 20, Mode: 0o700}},
		{Mount: api.Mount{Type: api.MountBind, Target: "/made", Create: true}, Host: filepath.Join(bind, "made")},
	}
	f.check(tk,
		check{"cat /new/place/a", "on the host"},
		check{"stat /new/place/a", "0:0 100600"},
		check{"write /new/place/b from inside", "written"},
		check{"write /ro/c x", "error: open /ro/c: read-only file system"},
		check{"cat /etc/one", "on the host"},
		check{"cat /data/file", "from the image"},
		check{"stat /data/file", "1000:1001 100640"},
		check{"cat /data/sub/deep", "deep"},
		check{"stat /data/inner", "0:0 40700"},
		check{"write /data/v kept", "written"},
		check{"ls /made", ""},
	)
	if st, err := os.Stat(filepath.Join(bind, "b")); err != nil || owner(st) != [2]uint32{0, 0} {
		t.Errorf("file made inside: owner %v, %v", owner(st), err)
	}
	if b, err := os.ReadFile(filepath.Join(vol, "v")); err != nil || string(b) != "kept" {
		t.Errorf("volume: %q, %v", b, err)
	}
}

func TestOptions(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.Spec.Init = true
	tk.Spec.ShmSize = 2 << 20
	tk.Spec.Resources.Ulimits = []api.Ulimit{{Name: "nofile", Soft: 200, Hard: 200}}
	tk.Spec.Resources.OOMScoreAdj = 300
	tk.Spec.Security.Sysctls = map[string]string{"kernel.shmmax": "4096000", "net.ipv4.ip_forward": "1"}
	tk.Spec.Security.Devices = []api.Device{{Path: "/dev/null", Target: "/dev/other/null"}}
	tk.WorkingDir = "/made/for/me"
	f.check(tk,
		check{"cat /proc/1/cmdline", "/dev/init\x00init\x00--\x00guest…"},
		check{"rlimit", "200 200"},
		check{"cat /proc/self/oom_score_adj", "300"},
		check{"cat /proc/sys/kernel/shmmax", "4096000"},
		check{"open /dev/other/null", "opened"},
		check{"pwd", "/made/for/me"},
	)
}

func TestPrivileged(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.Sandbox = engine.Sandbox{}
	tk.Spec.Security.Privileged = true
	f.check(tk, check{"pid", "1"}, check{"id", "0 0 []"}, check{"mount /tmp", "mounted"}, check{"stat /data/file", "1000:1001 100640"})
	tk.Spec.Security = api.Security{UserNS: "host"}
	f.check(tk, check{"pid", "1"}, check{"mount /tmp", "error: operation not permitted"})
}

func TestHostNetwork(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.Sandbox.NetNS = nil
	before := links(t)
	lines, _ := f.run(func() engine.Task { tk.Args = append(tk.Args, "ls /sys/class/net", "write /sys/x y"); return tk }())
	after, seen := links(t), strings.Fields(lines[0])
	for _, l := range before {
		// Other tests make and remove links meanwhile.
		if slices.Contains(after, l) && !slices.Contains(seen, l) {
			t.Errorf("the node's link %s is not among %q", l, seen)
		}
	}
	if !strings.HasPrefix(lines[1], "error") {
		t.Errorf("writing to /sys: %q", lines[1])
	}
}

// links names the links of the node's own network namespace.
func links(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestTTY(t *testing.T) {
	f := newFixture(t)
	tk := f.task("one")
	tk.TTY, tk.User = true, "ada"
	lines, x := f.run(func() engine.Task { tk.Args = append(tk.Args, "tty", "stat /dev/console", "ls /dev/pts"); return tk }())
	if x.Code != 0 || len(lines) != 3 || !strings.HasPrefix(lines[0], "tty ") || !strings.HasPrefix(lines[1], "1000:5 20") || lines[2] != "ptmx" {
		t.Errorf("%+v %q", x, lines)
	}
}

func TestLinksOfTheImageDoNotEscape(t *testing.T) {
	f := newFixture(t)
	outside := t.TempDir()
	if err := os.Chmod(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	layer := t.TempDir()
	if err := os.Chmod(layer, 0o755); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 20)
	for _, name := range []string{"dev", "proc", "sys", "target", "etc/hosts", "etc/resolv.conf", "etc/hostname", "work"} {
		for _, to := range []string{outside + "/" + filepath.Base(name), up + strings.TrimPrefix(outside, "/"), "/proc/self/fd/7", "/proc/self/root/" + outside} {
			t.Run(name+" to "+to[:min(len(to), 12)], func(t *testing.T) {
				evil := filepath.Join(t.TempDir(), "layer")
				if err := os.MkdirAll(filepath.Join(evil, filepath.Dir(name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(to, filepath.Join(evil, name)); err != nil {
					t.Fatal(err)
				}
				tk := f.task("evil", "write /target/x y", "write x y")
				tk.Layers = []string{evil, imageDir}
				tk.WorkingDir = "/work"
				tk.Mounts = []engine.Mount{{Mount: api.Mount{Type: api.MountTmpfs, Target: "/target"}}}
				_, err := f.Start(t.Context(), tk)
				if err == nil {
					f.exitOf(tk)
					err = f.Forget(t.Context(), "evil", 1)
				}
				if err != nil && api.CodeOf(err) == api.CodeInternal {
					t.Errorf("not the user's error: %v", err)
				}
				if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
					t.Errorf("outside: %v, %v", left, err)
				}
				if err := f.Remove(t.Context(), "evil"); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestRefusedStartsLeaveNothing(t *testing.T) {
	f := newFixture(t)
	before := f.state()
	for _, c := range []struct {
		name    string
		change  func(*engine.Task)
		field   string
		message string
	}{
		{"command not found", func(t *engine.Task) { t.Args = []string{"nothing"} }, "spec.command", "not found in $PATH"},
		{"path not found", func(t *engine.Task) { t.Args = []string{"/bin/nothing"} }, "spec.command", "no such file"},
		{"not executable", func(t *engine.Task) { t.Args = []string{"/bin/plain"} }, "spec.command", "permission denied"},
		{"no program", func(t *engine.Task) { t.Args = []string{"nonsense"} }, "spec.command", "exec format error"},
		{"a directory", func(t *engine.Task) { t.Args = []string{"/bin"} }, "spec.command", "permission denied"},
		{"unknown user", func(t *engine.Task) { t.User = "eve" }, "spec.user", `user "eve"`},
		{"unknown group", func(t *engine.Task) { t.User = "ada:eve" }, "spec.user", "eve"},
		{"id out of range", func(t *engine.Task) { t.User = "70000" }, "spec.user", "70000"},
		{"working directory is a file", func(t *engine.Task) { t.WorkingDir = "/data/file" }, "spec.workingDir", "not a directory"},
		{"mount source missing", func(t *engine.Task) {
			t.Mounts = []engine.Mount{{Mount: api.Mount{Type: api.MountBind, Target: "/x"}, Host: "/no/such"}}
		}, "spec.mounts[0].source", "no such file"},
		{"file on a directory", func(t *engine.Task) {
			t.Mounts = []engine.Mount{{Mount: api.Mount{Type: api.MountBind, Target: "/data"}, Host: "/etc/passwd"}}
		}, "spec.mounts[0].target", "one is a directory"},
		{"target relative", func(t *engine.Task) {
			t.Mounts = []engine.Mount{{Mount: api.Mount{Type: api.MountTmpfs, Target: "data"}}}
		}, "spec.mounts[0].target", "absolute"},
		{"unknown capability", func(t *engine.Task) { t.Spec.Security.CapAdd = []string{"FLY"} }, "spec.security.capAdd", "FLY"},
		{"unknown ulimit", func(t *engine.Task) { t.Spec.Resources.Ulimits = []api.Ulimit{{Name: "x"}} }, "spec.resources.ulimits[0].name", "x"},
		{"ulimit above the node's", func(t *engine.Task) {
			t.Spec.Resources.Ulimits = []api.Ulimit{{Name: "nofile", Soft: 1 << 30, Hard: 1 << 30}}
		}, "spec.resources.ulimits", "nofile"},
		{"sysctl of the node", func(t *engine.Task) { t.Spec.Security.Sysctls = map[string]string{"vm.swappiness": "1"} }, "spec.security.sysctls", "vm.swappiness"},
		{"no device", func(t *engine.Task) { t.Spec.Security.Devices = []api.Device{{Path: "/dev/no"}} }, "spec.security.devices[0].path", "/dev/no"},
		{"CPU set beyond the node", func(t *engine.Task) { t.Spec.Resources.CPUSet = "4000" }, "spec.resources.cpuSet", "4000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tk := f.task("bad", "echo")
			c.change(&tk)
			_, err := f.Start(t.Context(), tk)
			e, ok := err.(*api.Error)
			if !ok || e.Field != c.field || !strings.Contains(e.Message, c.message) || e.Code != api.CodeInvalid && e.Code != api.CodeNotFound {
				t.Errorf("%#v", err)
			}
		})
	}
	if err := f.Remove(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	if after := f.state(); !slices.Equal(before, after) {
		t.Errorf("before %q, after %q", before, after)
	}
}
