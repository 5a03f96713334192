package image

import (
	"archive/tar"
	"bytes"
	"context"
	"embed"
	"errors"
	"io/fs"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/virga-cloud/virga/api"
)

// The built-in image's program, cmd/virga-hello, is put there by the build. The
// directory is committed, so that a fresh checkout compiles without it.
//
//go:embed all:embed
var embedded embed.FS

const (
	helloProgram = "bin/virga-hello"
	helloAttr    = "org.virga.hello" // label: digest of the program
)

// installHello makes the built-in image unless it is there already.
func (s *Store) installHello(ctx context.Context, program []byte) error {
	if program == nil {
		var err error
		program, err = embedded.ReadFile("embed/virga-hello")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(program) == 0 {
		s.log.Warn("this build has no built-in image")
		return nil
	}
	return s.installProgram(ctx, api.HelloImage+":latest", program)
}

// installProgram makes an image of one static program.
func (s *Store) installProgram(ctx context.Context, name string, program []byte) error {
	digest := digestOf(program)
	if r, err := s.view.Load().find(name); err == nil && r.image.Labels[helloAttr] == digest {
		return nil
	}
	t := s.begin()
	defer t.end()
	u, err := t.addLayer(ctx, bytes.NewReader(helloRoot(program)), newBudget(Limits{}.withDefaults()), ociLayer)
	if err != nil {
		return err
	}
	c := rootfsConfig("", nodePlatform(), time.Unix(0, 0))
	c.Config = v1.Config{
		Env:          []string{defaultPath},
		Entrypoint:   []string{"/" + helloProgram},
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Labels: map[string]string{
			helloAttr:                              digest,
			"org.opencontainers.image.title":       name,
			"org.opencontainers.image.description": "greets, and serves HTTP; part of virga itself",
		},
	}
	r, err := t.compose(c, []layer{u.layer}, "virga")
	if err != nil {
		return err
	}
	return t.commit(ctx, []*record{r}, named(name, r.image.ID))
}

// helloRoot is the tar of the smallest root file system that programs expect.
func helloRoot(program []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, mode int64, content []byte) {
		h := &tar.Header{Name: name, Mode: mode, Size: int64(len(content)), Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}
		if content == nil {
			h.Typeflag = tar.TypeDir
		}
		// A bytes.Buffer takes everything.
		_ = w.WriteHeader(h)
		_, _ = w.Write(content)
	}
	for _, d := range []string{"./", "bin/", "dev/", "etc/", "proc/", "root/", "run/", "sys/", "var/"} {
		add(d, 0o755, nil)
	}
	add("tmp/", 0o1777, nil)
	add("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/virga-hello\nnobody:x:65534:65534:nobody:/:/bin/virga-hello\n"))
	add("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	add(helloProgram, 0o755, program)
	_ = w.Close()
	return b.Bytes()
}
