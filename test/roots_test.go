package test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// debianPackages are what the real services of the tests come from.
var debianPackages = []string{"nginx-light", "redis-server", "stress-ng", "curl", "procps", "iproute2"}

// Busybox makes the image "busybox" present: one static program under all its
// names, as small as a real root file system can be.
func (d *Daemon) Busybox(t *testing.T) string {
	t.Helper()
	d.importMissing(t, "busybox", func() []byte { return busyboxRoot(t) })
	return "busybox"
}

// Debian makes the image "debian" present: a Debian root with nginx, redis and
// a few tools, built by mmdebstrap from the machine's own package sources.
func (d *Daemon) Debian(t *testing.T) string {
	t.Helper()
	d.importMissing(t, "debian", func() []byte {
		b, err := os.ReadFile(debianRoot(t))
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	return "debian"
}

func (d *Daemon) importMissing(t *testing.T, name string, root func() []byte) {
	t.Helper()
	if d.CLI("image", "inspect", name).Code == 0 {
		return
	}
	if r := d.Feed(string(root()), "image", "import", "-", name); r.Code != 0 {
		t.Fatalf("import %s: %v", name, r)
	}
}

// busyboxRoot is a tar of a root file system around the machine's own
// busybox.
func busyboxRoot(t *testing.T) []byte {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal("busybox: install busybox-static")
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	applets, err := exec.Command(path, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	a := newArchive(t)
	for _, dir := range []string{"bin", "dev", "etc", "home/user", "proc", "root", "sys", "var/www", "usr"} {
		a.dir(dir, 0o755)
	}
	a.dir("tmp", 0o1777)
	a.file("bin/busybox", 0o755, string(program))
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			a.symlink("bin/"+applet, "busybox")
		}
	}
	a.file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
	a.file("etc/group", 0o644, "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
	a.file("var/www/index.html", 0o644, "hello from busybox\n")
	return a.bytes()
}

// debianRoot returns the path of the Debian root's tar. It is kept between
// runs: making it takes a minute.
func debianRoot(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "virga-test")
	sum := sha256.Sum256([]byte(strings.Join(debianPackages, ",")))
	path := filepath.Join(dir, "debian-"+hex.EncodeToString(sum[:4])+".tar")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	made := fmt.Sprintf("%s.%d.tar", path, os.Getpid())
	defer os.Remove(made)
	out, err := exec.Command("mmdebstrap", "--variant=minbase", "--mode=root",
		"--include="+strings.Join(debianPackages, ","),
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"bookworm", made).CombinedOutput()
	if err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, out)
	}
	if err := os.Rename(made, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// archive is a tar in the making.
type archive struct {
	t   *testing.T
	buf bytes.Buffer
	w   *tar.Writer
}

func newArchive(t *testing.T) *archive {
	a := &archive{t: t}
	a.w = tar.NewWriter(&a.buf)
	return a
}

func (a *archive) add(h tar.Header, body string) {
	a.t.Helper()
	h.Size = int64(len(body))
	h.ModTime = time.Unix(1700000000, 0)
	if err := a.w.WriteHeader(&h); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.w.Write([]byte(body)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) dir(name string, mode int64) {
	a.add(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, "")
}

func (a *archive) file(name string, mode int64, body string) {
	a.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, body)
}

func (a *archive) symlink(name, target string) {
	a.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, "")
}

func (a *archive) link(name, target string) {
	a.add(tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644}, "")
}

func (a *archive) device(name string) {
	a.add(tar.Header{Typeflag: tar.TypeBlock, Name: name, Devmajor: 8, Devminor: 0, Mode: 0o666}, "")
}

func (a *archive) bytes() []byte {
	a.t.Helper()
	if err := a.w.Close(); err != nil {
		a.t.Fatal(err)
	}
	return a.buf.Bytes()
}
