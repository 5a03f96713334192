package container

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// A link that is named is archived as one, wherever it leads.
func TestArchiveOfALink(t *testing.T) {
	top := t.TempDir()
	dir, err := os.OpenRoot(top)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := os.Mkdir(filepath.Join(top, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"out": "/etc", "dangling": "nowhere", "dir": "below"} {
		if err := os.Symlink(to, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := archive(t.Context(), dir, name, 0, &b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := tar.NewReader(&b)
		if h, err := r.Next(); err != nil || h.Name != name || h.Typeflag != tar.TypeSymlink || h.Linkname != to {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
		if h, err := r.Next(); err != io.EOF {
			t.Errorf("%s: behind it %+v, %v", name, h, err)
		}
	}
}

// FuzzExtract unpacks any bytes as virga cp does: it ends well or with the
// archive's error, and what lies beside the directory stays as it is.
func FuzzExtract(f *testing.F) {
	for _, h := range []tar.Header{
		{Name: "a", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "../a", Typeflag: tar.TypeReg},
		{Name: "l", Linkname: "../secret", Typeflag: tar.TypeSymlink},
		{Name: "l", Linkname: "../../secret", Typeflag: tar.TypeLink},
		{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o4777},
		{Name: "p", Typeflag: tar.TypeFifo},
		{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []tar.Header{h, {Name: h.Name + "/x", Typeflag: tar.TypeReg}} {
			if err := w.WriteHeader(&h); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		top := t.TempDir()
		dir, secret := filepath.Join(top, "dir"), filepath.Join(top, "secret")
		if err := os.WriteFile(secret, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := extract(t.Context(), dir, 0, bytes.NewReader(b)); err != nil && api.CodeOf(err) != api.CodeInvalid {
			t.Logf("%v", err) // the kernel's answers to names and modes are many
		}
		if got, err := os.ReadFile(secret); err != nil || string(got) != "precious" {
			t.Errorf("beside the directory: %q, %v", got, err)
		}
		if entries, err := os.ReadDir(top); err != nil || len(entries) != 2 {
			t.Errorf("beside the directory: %v, %v", entries, err)
		}
	})
}
