package confine

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

const inside = "CONFINE_TEST_INSIDE"

func TestMain(m *testing.M) {
	if script := os.Getenv(inside); script != "" {
		os.Exit(guest(script))
	}
	os.Exit(m.Run())
}

// guest is what the test binary does as a workload: one line per command.
func guest(script string) int {
	for line := range strings.SplitSeq(script, "\n") {
		f := strings.Fields(line)
		var out any
		var err error
		switch f[0] {
		case "cat":
			var b []byte
			b, err = os.ReadFile(f[1])
			out = string(b)
		case "ls":
			var e []os.DirEntry
			e, err = os.ReadDir(f[1])
			for _, d := range e {
				fmt.Println(d.Name())
			}
			out = ""
		case "write":
			err = os.WriteFile(f[1], []byte("x"), 0o644)
			out = "ok"
		case "id":
			out = fmt.Sprint(os.Getuid(), os.Getgid(), os.Getpid())
		case "hostname":
			out, err = os.Hostname()
		case "pwd":
			out, err = os.Getwd()
		case "mount":
			err = unix.Mount("none", "/tmp", "tmpfs", 0, "")
			out = "mounted"
		}
		if err != nil {
			out = err
		}
		fmt.Println(out)
	}
	return 0
}

type sandbox struct{ user, net *os.File }

const firstID = 700000

// newSandbox makes the namespaces an instance stands on.
func newSandbox(t *testing.T) sandbox {
	t.Helper()
	c := exec.Command("sleep", "300")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		GidMappingsEnableSetgroups: true,
		UidMappings:                []syscall.SysProcIDMap{{HostID: firstID, Size: 65536}},
		GidMappings:                []syscall.SysProcIDMap{{HostID: firstID, Size: 65536}},
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	var s sandbox
	for _, n := range []struct {
		name string
		f    **os.File
	}{{"user", &s.user}, {"net", &s.net}} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", c.Process.Pid, n.name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		*n.f = f
	}
	return s
}

// image makes a layer with the test binary as /guest.
func image(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "guest"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"tmp", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func process(t *testing.T, layer, script string) Process {
	t.Helper()
	s := newSandbox(t)
	root, err := mount.Overlay{Layers: []string{layer}, Writable: t.TempDir(), UserNS: s.user, IDs: firstID}.Mount()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	mask, protect := DefaultPaths()
	dev, err := mount.Dev(firstID, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return Process{
		UserNS: s.user, NetNS: s.net, IDs: firstID,
		Start: &Start{Root: root, Dev: dev, ShmSize: 1 << 20, Hostname: "inside",
			Masked: mask, Protected: protect},
		Bounding: caps.Default, NoNewPrivs: true,
		WorkingDir: "/", Argv: []string{"/guest"}, Env: []string{inside + "=" + script}, Paths: []string{"/guest"},
	}
}

func run(t *testing.T, p Process) (string, error) {
	t.Helper()
	program, files, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fds := []int{int(null.Fd()), int(w.Fd()), int(w.Fd())}
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	pid, err := launch.Run(program, fds)
	w.Close()
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws != 0 {
		t.Fatalf("status %v, %v: %s", ws, err, out)
	}
	return string(out), nil
}

func TestStart(t *testing.T) {
	p := process(t, image(t), "id\nhostname\npwd\nls /\nls /dev\nmount\nwrite /a\nwrite /proc/sys/kernel/printk\ncat /proc/kcore\nls /sys/firmware\ncat /proc/self/mountinfo")
	out, err := run(t, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
}
