package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/klauspost/compress/zstd"
	"github.com/virga-cloud/virga/api"
)

func TestImportTakesARootFileSystemInAnyCompression(t *testing.T) {
	d := Start(t)
	root := busyboxRoot(t)
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(root)
	w.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"plain": root, "gzip": gz.Bytes(), "zstd": enc.EncodeAll(root, nil)} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "root")
			if err := os.WriteFile(file, body, 0o600); err != nil {
				t.Fatal(err)
			}
			d.Must(t, "image", "import", file, "imported-"+name)
			equal(t, "run", d.Must(t, "run", "--rm", "imported-"+name, "cat", "/var/www/index.html"), "hello from busybox")
			d.Must(t, "image", "rm", "imported-"+name)
		})
	}
}

func TestExportAndImportAgain(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.image(t, image).ID
	for _, format := range []string{"oci", "docker"} {
		t.Run(format, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image.tar")
			d.Must(t, "image", "export", "--archive", format, "-o", file, image)
			d.Must(t, "image", "import", file, "again-"+format)
			again := d.image(t, "again-"+format)
			if format == "oci" {
				equal(t, "id", again.ID, id)
			}
			equal(t, "run", d.Must(t, "run", "--rm", "again-"+format, "echo", "alive"), "alive")
			d.Must(t, "image", "rm", "again-"+format)
		})
	}
}

func TestRegistryPushAndPull(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	srv := httptest.NewServer(registry.New())
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	remote := u.Host + "/team/busybox:v1"

	d.Must(t, "image", "tag", image, remote)
	d.Must(t, "image", "push", remote)
	digest := d.image(t, remote).Digest
	d.Must(t, "image", "rm", remote)
	d.Refused(t, "image", "inspect", remote)

	d.Must(t, "image", "pull", remote)
	equal(t, "digest after pull", d.image(t, remote).Digest, digest)
	d.Must(t, "image", "rm", remote)

	// run pulls what is missing; a digest names an image as well as a tag.
	byDigest := u.Host + "/team/busybox@" + digest
	equal(t, "run by digest", d.Must(t, "run", "--rm", byDigest, "echo", "pulled"), "pulled")
	d.Must(t, "image", "rm", byDigest)

	contains(t, d.Refused(t, "image", "pull", u.Host+"/team/nothing:v1"), "team/nothing")
	contains(t, d.Refused(t, "image", "pull", "127.0.0.1:1/x"), "127.0.0.1:1")
}

func TestImageInUseIsKept(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "image", "tag", image, "busy:v2")
	d.Must(t, "create", "--name", "holder", "busy:v2", "true")
	d.Must(t, "image", "prune", "-a", "-f")
	equal(t, "starts after a prune", d.Must(t, "start", "-a", "holder"), "")
	d.Must(t, "rm", "-f", "holder")
	d.Must(t, "image", "rm", "-f", "busy:v2")
}

// A broken or malicious archive is refused with a reason, and leaves nothing.
func TestBadArchivesAreRefused(t *testing.T) {
	d := Start(t)
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim")
	write(t, victim, "untouched\n")
	root := busyboxRoot(t)
	tests := []struct {
		name string
		body func(t *testing.T) []byte
		safe bool // may be taken, as long as nothing outside is touched
	}{
		{"empty", func(*testing.T) []byte { return nil }, false},
		{"no archive", func(*testing.T) []byte { return []byte("just some text, not an archive at all\n") }, false},
		{"truncated", func(*testing.T) []byte { return root[:len(root)/2] }, false},
		{"truncated gzip", func(t *testing.T) []byte {
			var gz bytes.Buffer
			w := gzip.NewWriter(&gz)
			w.Write(root)
			w.Close()
			return gz.Bytes()[:gz.Len()/2]
		}, false},
		{"path that climbs out", func(t *testing.T) []byte {
			a := newArchive(t)
			a.file("../../../../../../.."+victim, 0o644, "overwritten")
			return a.bytes()
		}, true},
		{"absolute path", func(t *testing.T) []byte {
			a := newArchive(t)
			a.file(victim, 0o644, "overwritten")
			return a.bytes()
		}, true},
		{"file through a symlink", func(t *testing.T) []byte {
			a := newArchive(t)
			a.symlink("out", outside)
			a.file("out/victim", 0o644, "overwritten")
			return a.bytes()
		}, true},
		{"hard link to the outside", func(t *testing.T) []byte {
			a := newArchive(t)
			a.link("mine", victim)
			a.file("mine", 0o644, "overwritten")
			return a.bytes()
		}, true},
		{"device node", func(t *testing.T) []byte {
			a := newArchive(t)
			a.device("dev/disk")
			return a.bytes()
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "evil.tar")
			if err := os.WriteFile(file, tt.body(t), 0o600); err != nil {
				t.Fatal(err)
			}
			r := d.CLI("image", "import", file, "evil")
			if r.Code == 0 && !tt.safe {
				t.Errorf("taken: %v", r)
			}
			if r.Code == 0 {
				d.Must(t, "image", "rm", "evil")
			} else {
				oneMessage(t, r)
			}
			equal(t, "the file outside", read(t, victim), "untouched\n")
			if strings.Contains(d.Must(t, "image", "ls"), "evil") {
				t.Error("a refused image is listed")
			}
		})
	}
}

// image inspects an image.
func (d *Daemon) image(t *testing.T, name string) api.Image {
	t.Helper()
	text := d.Must(t, "image", "inspect", name)
	var list []api.Image
	if !strings.HasPrefix(text, "[") {
		text = "[" + text + "]"
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 {
		t.Fatalf("image inspect %s: %v\n%s", name, err, text)
	}
	return list[0]
}
