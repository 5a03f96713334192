package test

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestCopy(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "box", image, "sleep", "1000")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one"), "first\n")
	os.MkdirAll(filepath.Join(dir, "tree/sub"), 0o755)
	write(t, filepath.Join(dir, "tree/sub/leaf"), "leaf\n")

	// In: a file under a new name, into a directory, and a whole tree.
	d.Must(t, "cp", filepath.Join(dir, "one"), "box:/tmp/renamed")
	d.Must(t, "cp", filepath.Join(dir, "one"), "box:/var/www")
	d.Must(t, "cp", filepath.Join(dir, "tree"), "box:/tmp")
	d.Must(t, "cp", filepath.Join(dir, "tree")+"/.", "box:/home/user")
	equal(t, "inside", d.Must(t, "exec", "box", "cat", "/tmp/renamed", "/var/www/one", "/tmp/tree/sub/leaf", "/home/user/sub/leaf"), "first\nfirst\nleaf\nleaf")
	equal(t, "owner inside", d.Must(t, "exec", "box", "stat", "-c", "%u:%g", "/tmp/renamed"), "0:0")

	// Out.
	out := t.TempDir()
	d.Must(t, "cp", "box:/tmp/renamed", filepath.Join(out, "two"))
	d.Must(t, "cp", "box:/tmp/tree", out)
	equal(t, "file out", read(t, filepath.Join(out, "two")), "first\n")
	equal(t, "tree out", read(t, filepath.Join(out, "tree/sub/leaf")), "leaf\n")

	// As a tar, and from a stopped instance.
	d.Must(t, "stop", "-t", "1", "box")
	r := d.CLI("cp", "box:/tmp/tree", "-")
	var names []string
	for tr := tar.NewReader(strings.NewReader(r.Stdout)); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("tar: %v\n%s", err, r.Stderr)
		}
		names = append(names, strings.Trim(h.Name, "/"))
	}
	contains(t, strings.Join(names, " "), "tree", "tree/sub/leaf")

	contains(t, d.Refused(t, "cp", "box:/no/such/file", out), "no such file")
	contains(t, d.Refused(t, "cp", "box:/tmp/none", out), "/tmp/none", "no such file")
	d.Refused(t, "cp", filepath.Join(dir, "none"), "box:/tmp")
	d.Refused(t, "cp", "nobody:/x", out)
}

// Owners are kept with -a, and links that are named are followed with -L.
func TestCopyOwnersAndLinks(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "box", image, "sleep", "1000")
	d.Must(t, "exec", "box", "sh", "-c", "mkdir -p /tmp/a/b; echo leaf >/tmp/a/b/leaf; chown -R 1000:2000 /tmp/a; chmod 500 /tmp/a/b;"+
		"ln -s a/b/leaf /tmp/near; ln -s /tmp/near /tmp/far; ln -s /tmp/a /tmp/dir; ln -s loop /tmp/loop")
	out := t.TempDir()
	owner := func(name string) string {
		t.Helper()
		info, err := os.Lstat(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
	}
	d.Must(t, "cp", "-a", "box:/tmp/a", filepath.Join(out, "kept"))
	d.Must(t, "cp", "box:/tmp/a", filepath.Join(out, "mine"))
	equal(t, "owner with -a", owner("kept/b/leaf"), "1000:2000")
	equal(t, "owner without", owner("mine/b/leaf"), fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid()))
	d.Must(t, "cp", "-a", filepath.Join(out, "kept"), "box:/home")
	d.Must(t, "cp", filepath.Join(out, "kept"), "box:/root")
	equal(t, "owners inside", d.Must(t, "exec", "box", "stat", "-c", "%u:%g", "/home/kept/b/leaf", "/root/kept/b/leaf"), "1000:2000\n0:0")

	d.Must(t, "cp", "box:/tmp/far", filepath.Join(out, "link"))
	if to, err := os.Readlink(filepath.Join(out, "link")); err != nil || to != "/tmp/near" {
		t.Errorf("the link itself: %q %v", to, err)
	}
	d.Must(t, "cp", "-L", "box:/tmp/far", filepath.Join(out, "followed"))
	equal(t, "what it leads to", read(t, filepath.Join(out, "followed")), "leaf\n")
	d.Must(t, "cp", "-L", "box:/tmp/dir", out)
	equal(t, "a directory", read(t, filepath.Join(out, "dir/b/leaf")), "leaf\n")
	contains(t, d.Refused(t, "cp", "-L", "box:/tmp/loop", out), "too many levels")

	if err := os.Symlink("followed", filepath.Join(out, "here")); err != nil {
		t.Fatal(err)
	}
	d.Must(t, "cp", "-L", filepath.Join(out, "here"), "box:/tmp")
	equal(t, "into the instance", d.Must(t, "exec", "box", "sh", "-c", "test ! -L /tmp/here && cat /tmp/here"), "leaf")
}

// A link inside an instance does not lead out of it.
func TestCopyStaysInside(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	host := t.TempDir()
	os.Chmod(host, 0o777)
	d.Must(t, "run", "-d", "--name", "box", image, "sh", "-c", "ln -s "+host+" /out; ln -s /etc/shadow /leak; sleep 1000")
	d.WaitFor(t, "box", "its links are made", func(api.Instance) bool { return d.CLI("exec", "box", "readlink", "/leak").Code == 0 })
	write(t, filepath.Join(host, "victim"), "untouched\n")
	file := filepath.Join(t.TempDir(), "victim")
	write(t, file, "overwritten\n")
	d.CLI("cp", file, "box:/out/victim")
	equal(t, "the node's file", read(t, filepath.Join(host, "victim")), "untouched\n")
	target := t.TempDir()
	d.CLI("cp", "box:/leak", filepath.Join(target, "leak"))
	if b, err := os.ReadFile(filepath.Join(target, "leak")); err == nil && strings.Contains(string(b), "root:") {
		if fi, err := os.Lstat(filepath.Join(target, "leak")); err == nil && fi.Mode().IsRegular() {
			t.Error("cp followed a link to the node's /etc/shadow")
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
