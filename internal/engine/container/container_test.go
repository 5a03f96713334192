package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/namespace"
	"github.com/virga-cloud/virga/internal/shim"
)

var (
	shimBinary string // the supervisor, built for the tests
	imageDir   string // a layer with the test binary as /bin/guest
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		os.Exit(guest(os.Args[2:]))
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "not root: nothing is tested")
		return 0
	}
	dir, err := os.MkdirTemp("", "container-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shimBinary, imageDir = filepath.Join(dir, "virga-shim"), filepath.Join(dir, "image")
	if built := os.Getenv("VIRGA_SHIM"); built != "" { // where there is no Go
		shimBinary = built
	} else {
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", shimBinary, "../../../cmd/virga-shim")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build virga-shim: %v\n%s", err, out)
			return 1
		}
	}
	if err := makeImage(imageDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// makeImage makes a layer like a small distribution's.
func makeImage(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	for _, d := range []string{"bin", "etc", "tmp", "data/sub", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"bin/guest":     {string(b), 0o755},
		"bin/plain":     {"text", 0o644},
		"bin/nonsense":  {"\x00\x01", 0o755},
		"etc/passwd":    {"root:x:0:0:root:/root:/bin/sh\nada:x:1000:1001:Ada:/home/ada:/bin/sh\n", 0o644},
		"etc/group":     {"root:x:0:\nada:x:1001:\nfriends:x:2000:ada\nvideo:x:44:\n", 0o644},
		"data/file":     {"from the image", 0o640},
		"data/sub/deep": {"deep", 0o600},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(f.text), f.mode); err != nil {
			return err
		}
	}
	return os.Lchown(filepath.Join(dir, "data/file"), 1000, 1001)
}

// fixture is an engine of its own with a supervisor of its own.
type fixture struct {
	*Engine
	t    testing.TB
	dir  string
	shim shim.Config
}

var (
	nextCgroup atomic.Int32
	nextIDs    atomic.Uint32
)

func newFixture(t testing.TB) *fixture {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, dir: dir, shim: shim.Config{Dir: filepath.Join(dir, "shim"), Binary: shimBinary, Log: slog.New(slog.DiscardHandler)}}
	f.Engine, err = New(t.Context(), Config{
		Instances: filepath.Join(dir, "instances"), Trash: filepath.Join(dir, "trash"),
		Cgroup:  fmt.Sprintf("virga-test-%d-%d", os.Getpid(), nextCgroup.Add(1)),
		Init:    shimBinary,
		Connect: func(ctx context.Context) (*shim.Client, error) { return shim.Ensure(ctx, f.shim) },
		Log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.end)
	return f
}

// end stops everything and checks that nothing is left.
func (f *fixture) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := f.Resources(ctx)
	if err != nil {
		f.t.Error(err)
	}
	for _, r := range res {
		if err := f.Collect(ctx, r); err != nil {
			f.t.Errorf("collect %+v: %v", r, err)
		}
	}
	if err := f.Dissolve(ctx); err != nil {
		f.t.Error(err)
	}
	if err := os.RemoveAll(f.dir); err != nil {
		f.t.Error(err)
	}
}

// task describes an instance that runs the guest with commands.
func (f *fixture) task(id string, commands ...string) engine.Task {
	f.t.Helper()
	ids := 1_000_000 + nextIDs.Add(1)*namespace.IDs
	pair, err := namespace.NewPair(ids)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { pair.Close() })
	dir := filepath.Join(f.Instances, id)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		f.t.Fatal(err)
	}
	return engine.Task{
		Instance: id, Name: id, Life: 1,
		Args:       append([]string{"guest", "guest"}, commands...),
		Env:        []string{"PATH=/usr/bin:/bin"},
		WorkingDir: "/", Hostname: "host-of-" + id,
		Layers:  []string{imageDir},
		Sandbox: engine.Sandbox{UserNS: pair.User, NetNS: pair.Net, IDs: ids},
		Dir:     dir, Log: filepath.Join(dir, "log"),
		Hosts: []byte("127.0.0.1 localhost\n"), Resolv: []byte("nameserver 192.0.2.1\n"),
	}
}

// start starts a task and returns a session on it that misses no output.
func (f *fixture) start(t engine.Task) engine.Session {
	f.t.Helper()
	s, err := f.Attach(f.t.Context(), t.Instance, t.Life)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { s.Close() })
	if _, err := f.Start(f.t.Context(), t); err != nil {
		f.t.Fatal(err)
	}
	return s
}

// run runs a task to its end, forgets it and returns its lines.
func (f *fixture) run(t engine.Task) ([]string, engine.Exit) {
	f.t.Helper()
	s := f.start(t)
	lines := output(f.t, s)
	x := f.exitOf(t)
	if err := f.Forget(f.t.Context(), t.Instance, t.Life); err != nil {
		f.t.Fatal(err)
	}
	return lines, x
}

// output reads a session to its end.
func output(t testing.TB, s engine.Session) []string {
	t.Helper()
	var text strings.Builder
	for {
		_, p, err := s.Read(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
		text.Write(p)
	}
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(text.String(), "\r\n", "\n"), "\n"), "\n")
}

func (f *fixture) exitOf(t engine.Task) engine.Exit {
	f.t.Helper()
	select {
	case x := <-f.Exits():
		if x.Instance != t.Instance {
			f.t.Fatalf("exit of %s, want %s", x.Instance, t.Instance)
		}
		return x
	case <-time.After(time.Minute):
		f.t.Fatal("no exit after a minute")
	}
	return engine.Exit{}
}

func TestTrue(t *testing.T) {
	f := newFixture(t)
	lines, x := f.run(f.task("one", "id", "pid", "hostname", "pwd", "cat /etc/hosts", "cat /etc/resolv.conf", "links", "fds", "ls /sys/fs/cgroup", "cat /sys/fs/cgroup/pids/pids.max", "exit 7"))
	for _, l := range lines {
		t.Log(l)
	}
	if x.Code != 7 || x.OOMKilled || x.Lost {
		t.Errorf("exit %+v", x)
	}
}
