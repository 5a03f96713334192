package test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// startOn runs a daemon of the test's own, whose data is below dir, and takes
// everything of it away at the end.
func startOn(t *testing.T, dir string) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the end-to-end tests run as root")
	}
	d := &Daemon{Dir: dir, Socket: filepath.Join(dir, "virga.sock"), Log: filepath.Join(t.TempDir(), "daemon.log")}
	t.Cleanup(func() {
		if d.alive() {
			d.Stop(t)
		}
		r := d.CLI("server", "reset", "--data-dir", d.data())
		if r.Code != 0 && !strings.Contains(r.Stderr, "is not the data directory") {
			t.Errorf("reset: %v", r)
		}
		if left := d.settled(); len(left) > 0 {
			t.Errorf("left on the machine: %q", left)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", d.logSince(0))
		}
	})
	d.Restart(t)
	return d
}

// A disk that is full, of bytes or of files: what needs space is refused with
// one clear error and leaves nothing, what runs goes on, what frees space
// works, and afterwards all is as before.
func TestFullDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		options string
		fill    func(dir string) error
	}{
		"bytes":  {"size=600m", fillBytes},
		"inodes": {"size=1g,nr_inodes=3000", fillInodes},
	} {
		t.Run(name, func(t *testing.T) {
			disk := t.TempDir()
			must(t, syscall.Mount("virga-test", disk, "tmpfs", 0, tt.options+",mode=755"))
			t.Cleanup(func() { must(t, syscall.Unmount(disk, 0)) })
			node := filepath.Join(disk, "node")
			must(t, os.Mkdir(node, 0o755))
			d := startOn(t, node)
			image := d.Busybox(t)
			d.Must(t, "run", "-d", "--name", "stays", "-v", "kept:/kept", image, "sleep", "100000")
			before := d.Must(t, "image", "ls", "-q")
			archive := filepath.Join(t.TempDir(), "root.tar")
			a := newArchive(t)
			a.file("big", 0o644, strings.Repeat("virga", 1<<20))
			for i := range 200 {
				a.file(fmt.Sprintf("etc/%d", i), 0o644, fmt.Sprint(i))
			}
			must(t, os.WriteFile(archive, a.bytes(), 0o600))

			filler := filepath.Join(disk, "filler")
			must(t, os.Mkdir(filler, 0o755))
			must(t, tt.fill(filler))
			for _, args := range [][]string{
				{"run", "--name", "new", image, "true"},
				{"run", "--rm", "--name", "gone", image, "true"},
				{"image", "import", archive, "large"},
			} {
				msg := d.Refused(t, args...)
				if !strings.Contains(msg, "full") {
					t.Errorf("virga %s: %q does not say that the disk is full", strings.Join(args, " "), msg)
				}
			}
			if !d.alive() {
				t.Fatal("the daemon did not live through it")
			}
			equal(t, "instances", d.Must(t, "ps", "-a", "--format", "{{.Names}}"), "stays")
			equal(t, "images", d.Must(t, "image", "ls", "-q"), before)
			if rep, problem := d.check(); problem != "" || rep.Stale != 0 {
				t.Errorf("left behind: %+v %s", rep, problem)
			}
			equal(t, "exec in what runs", d.Must(t, "exec", "stays", "echo", "alive"), "alive")

			must(t, os.RemoveAll(filler))
			equal(t, "run after space was freed", d.Must(t, "run", "--rm", "--name", "new", image, "echo", "again"), "again")
			d.Must(t, "image", "import", archive, "large")
			d.Must(t, "image", "rm", "large")

			// Full again: what frees space needs none.
			must(t, os.Mkdir(filler, 0o755))
			must(t, tt.fill(filler))
			d.Must(t, "rm", "-f", "-v", "stays")
			d.Must(t, "volume", "rm", "kept")
			must(t, os.RemoveAll(filler))
			d.Kill9(t)
			d.Restart(t)
			equal(t, "after a crash", d.Must(t, "ps", "-aq"), "")
		})
	}
}

// fillBytes writes until the disk takes no more byte.
func fillBytes(dir string) error {
	for size := 1 << 20; size > 0; size /= 16 {
		block := make([]byte, size)
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(size)), os.O_CREATE|os.O_WRONLY, 0o600)
		for err == nil {
			_, err = f.Write(block)
		}
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
	}
	return nil
}

// fillInodes makes files until the disk takes no more.
func fillInodes(dir string) error {
	for i := 0; ; i++ {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if errors.Is(err, syscall.ENOSPC) {
			return nil
		}
		if err != nil {
			return err
		}
		f.Close()
	}
}

// No process more, in an instance and on the node.
func TestExhaustedProcesses(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "full", "--pids-limit", "20", image, "sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & wait")
	eventually(t, "four processes", func() (bool, string) {
		s, text := d.stats("full")
		return s.Pids.Current == 4, text
	})
	d.Must(t, "update", "--pids-limit", "4", "full")
	msg := d.Refused(t, "exec", "full", "true")
	contains(t, msg, "process")
	d.Must(t, "update", "--pids-limit", "20", "full")
	equal(t, "exec below the limit", d.Must(t, "exec", "full", "echo", "fits"), "fits")

	root := d.pidsRoot(t)
	was := strings.TrimSpace(read(t, filepath.Join(root, "pids.max")))
	limit := func(n string) { write(t, filepath.Join(root, "pids.max"), n) }
	t.Cleanup(func() { limit(was) })
	limit(strings.TrimSpace(read(t, filepath.Join(root, "pids.current"))))
	msg = d.Refused(t, "run", "--rm", "--name", "none", image, "true")
	contains(t, msg, "process")
	equal(t, "instances", d.Must(t, "ps", "-a", "--format", "{{.Names}}"), "full")
	limit(was)
	equal(t, "run when there are processes", d.Must(t, "run", "--rm", "--name", "none", image, "echo", "again"), "again")
	d.WaitPhase(t, "full", api.PhaseRunning)
}

// pidsRoot is the cgroup of all instances of d.
func (d *Daemon) pidsRoot(t *testing.T) string {
	t.Helper()
	for _, trace := range d.traces() {
		dir, ok := strings.CutPrefix(trace, "cgroup ")
		if !ok || !strings.HasPrefix(filepath.Base(dir), "virga-") {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "pids.max")); err == nil {
			return dir
		}
	}
	t.Fatalf("no cgroup that limits processes among %q", d.traces())
	return ""
}
