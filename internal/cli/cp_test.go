package cli

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var aDay = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// archiveOf makes a tar of entries, each with its body.
func archiveOf(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		h.ModTime = aDay
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "body"[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	u := unpacking{dir: dir, name: "copy"}
	err := u.unpack(archiveOf(t,
		tar.Header{Name: "tree/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "tree/closed/", Typeflag: tar.TypeDir, Mode: 0o500},
		tar.Header{Name: "tree/closed/file", Typeflag: tar.TypeReg, Mode: 0o640, Size: 4},
		tar.Header{Name: "tree/again", Typeflag: tar.TypeLink, Linkname: "tree/closed/file"},
		tar.Header{Name: "tree/link", Typeflag: tar.TypeSymlink, Linkname: "again"},
	))
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"closed": os.ModeDir | 0o500, "closed/file": 0o640, "again": 0o640} {
		info, err := os.Lstat(filepath.Join(dir, "copy", name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode || !info.ModTime().Equal(aDay) {
			t.Errorf("%s: %s of %s, want %s of %s", name, info.Mode(), info.ModTime(), mode, aDay)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "copy/link")); err != nil || string(b) != "body" {
		t.Errorf("through the link: %q %v", b, err)
	}
}

func TestPackOwners(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const user, group = 1234, 5678
	if err := os.Chown(file, user, group); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		owners   bool
		uid, gid int
	}{{true, user, group}, {false, 0, 0}} {
		var b bytes.Buffer
		if err := pack(&b, file, "f", c.owners); err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(&b).Next()
		if err != nil || h.Uid != c.uid || h.Gid != c.gid {
			t.Errorf("owners %v: %+v %v", c.owners, h, err)
		}
	}
}
