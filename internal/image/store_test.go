package image

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// file is one entry of a tar made for a test.
type file struct {
	name, body, link string
	kind             byte // default regular, or a directory when name ends in /
	mode             int64
	uid, gid         int
	major, minor     int64
	pax              map[string]string
}

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{
			Name: f.name, Size: int64(len(f.body)), Linkname: f.link, Typeflag: f.kind, Mode: f.mode,
			Uid: f.uid, Gid: f.gid, Devmajor: f.major, Devminor: f.minor, PAXRecords: f.pax,
			ModTime: time.Unix(1_700_000_000, 0),
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
			if f.name[len(f.name)-1] == '/' {
				h.Typeflag = tar.TypeDir
			}
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openStore(t testing.TB, change ...func(*Config)) *Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("unpacking layers needs root")
	}
	c := Config{Dir: filepath.Join(t.TempDir(), "images"), Hello: []byte{}}
	for _, f := range change {
		f(&c)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustImport(t testing.TB, s *Store, name string, b []byte) api.Image {
	t.Helper()
	i, err := s.Import(context.Background(), name, bytes.NewReader(b), nil)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// checkClean fails when the store holds anything stale or unfinished.
func checkClean(t testing.TB, s *Store) {
	t.Helper()
	rs, err := s.Resources(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		if r.Stale || r.Kind == kindTemp {
			t.Errorf("left behind: %s %s", r.Kind, r.Name)
		}
	}
}

var smallRoot = []file{
	{name: "./"}, {name: "./bin/"}, {name: "./bin/sh", body: "#!"}, {name: "./etc/"},
	{name: "./etc/passwd", body: "root:x:0:0::/:/bin/sh\n", mode: 0o644},
	{name: "./bin/su", body: "su", mode: 0o4755}, {name: "./home/u/", uid: 1000, gid: 1000, mode: 0o700},
	{name: "./bin/su2", link: "./bin/su", kind: tar.TypeLink}, {name: "./lib", link: "/usr/lib", kind: tar.TypeSymlink},
	{name: "./dev/null", kind: tar.TypeChar, major: 1, minor: 3},
}

func TestImportRootFileSystem(t *testing.T) {
	s := openStore(t)
	var notes []string
	i, err := s.Import(t.Context(), "debian", bytes.NewReader(tarOf(t, smallRoot...)), func(p api.Progress) { notes = append(notes, p.Action) })
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Config.Command) != 1 || i.Config.Command[0] != "/bin/sh" || i.Names[0] != "debian:latest" {
		t.Errorf("image %+v", i)
	}
	for _, n := range []string{"debian", "debian:latest", "docker.io/library/debian", i.ID, i.ID[7:20], i.Digest} {
		r, dirs, err := s.Resolve(t.Context(), n)
		if err != nil || r.ID != i.ID || len(dirs) != 1 {
			t.Errorf("resolve %s: %v %v", n, dirs, err)
		}
	}
	_, dirs, _ := s.Resolve(t.Context(), "debian")
	su, err := os.Stat(filepath.Join(dirs[0], "bin/su2"))
	if err != nil || su.Mode()&os.ModeSetuid == 0 {
		t.Errorf("bin/su2: %v %v", su, err)
	}
	if l, _ := os.Readlink(filepath.Join(dirs[0], "lib")); l != "/usr/lib" {
		t.Errorf("lib leads to %q", l)
	}
	if _, err := os.Lstat(filepath.Join(dirs[0], "dev/null")); err == nil {
		t.Error("a device was unpacked")
	}
	checkClean(t, s)
	again, err := Open(t.Context(), Config{Dir: s.dir, Hello: []byte{}})
	if err != nil {
		t.Fatal(err)
	}
	if r, _, err := again.Resolve(t.Context(), "debian"); err != nil || r.ID != i.ID || r.Size != i.Size {
		t.Errorf("after reopening: %+v %v", r, err)
	}
}
