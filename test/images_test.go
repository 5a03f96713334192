package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log"
	"net/http"
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

// A registry that wants to know who asks: login keeps the credential that pull
// and push use, in Docker's configuration.
func TestRegistryLogin(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	open := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "right" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		open.ServeHTTP(w, r)
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	remote := host + "/team/busybox:v1"
	d.Must(t, "tag", image, remote)
	t.Cleanup(func() { d.CLI("image", "rm", remote) })

	contains(t, d.Refused(t, "push", remote), "does not allow", "virga login")
	r := d.Feed("wrong\n", "login", "-u", "me", "--password-stdin", host)
	if r.Code != 5 {
		t.Errorf("a wrong password: %v", r)
	}
	contains(t, oneMessage(t, r), "does not accept", host)
	d.Refused(t, "push", remote)
	if r = d.Feed("right\n", "login", "-u", "me", "--password-stdin", host); r.Code != 0 {
		t.Fatalf("login: %v", r)
	}
	d.Must(t, "push", remote)
	d.Must(t, "image", "rm", remote)
	equal(t, "run of what is pulled", d.Must(t, "run", "--rm", remote, "echo", "pulled"), "pulled")
	equal(t, "layers of the history", d.Must(t, "history", "-q", "--no-trunc", remote), d.image(t, remote).Layers[0].DiffID)
	equal(t, "logout", d.Must(t, "logout", host), "logged out of "+host)
	contains(t, d.Refused(t, "pull", host+"/team/busybox:v1"), "does not allow")
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
