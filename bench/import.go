package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	importRuns  = 7
	importLimit = 60 * time.Second
)

// benchImport measures how long a docker archive of 300 MiB takes from file to
// unpacked root.
func benchImport(ctx context.Context, e *env) error {
	archive, err := makeArchive(ctx, e.dir)
	if err != nil {
		return err
	}
	importers := e.importers(ctx, archive)
	all := make([]samples, len(importers))
	for range importRuns {
		for i, im := range importers {
			// Nobody pays for what others have not yet written.
			syscall.Sync()
			began := time.Now()
			err := im.within(ctx, importLimit, im.load)
			took := time.Since(began)
			if err == nil {
				all[i] = append(all[i], took.Seconds())
				err = im.within(ctx, importLimit, im.remove)
			}
			if err != nil && !errors.Is(err, errHung) {
				return fmt.Errorf("%s: %w", im.name, err)
			}
		}
	}
	var others []measured
	for i, im := range importers[1:] {
		others = append(others, measured{im.told(im.name), all[i+1], ratioAtMost(1)})
	}
	return e.compare("import.300m", "s", all[0], goal{}, others)
}

// importer loads the archive, and takes it away again.
type importer struct {
	name         string
	load, remove func(context.Context) error
	*hangs
}

// importers are virga first, and the peers that can run here.
func (e *env) importers(ctx context.Context, archive string) []importer {
	do := func(f func(context.Context, ...string) *exec.Cmd, args ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			if out, err := f(ctx, args...).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, tail(string(out), 400))
			}
			return nil
		}
	}
	own := func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, e.binary, append([]string{"--socket", e.socket}, args...)...)
	}
	list := []importer{{"virga", do(own, "image", "import", archive, "big"), do(own, "image", "rm", "-f", "big"), new(hangs)}}
	if _, err := exec.LookPath("podman"); err == nil {
		list = append(list, importer{
			"podman load " + version(ctx, "podman"),
			do(e.podmanTool, "load", "-q", "-i", archive), do(e.podmanTool, "rmi", "-f", "-a"), new(hangs),
		})
	} else {
		fmt.Printf("  podman load is left out: %v\n", err)
	}
	if err := e.containerd(ctx); err == nil {
		list = append(list, importer{
			"ctr import " + version(ctx, "containerd"),
			do(e.ctrTool, "image", "import", "--snapshotter", "overlayfs", archive), do(e.ctrTool, "image", "rm", "--sync", "docker.io/library/big:v1"), new(hangs),
		})
	} else {
		fmt.Printf("  ctr import is left out: %v\n", err)
	}
	return list
}

// makeArchive makes a docker archive whose one layer is the node's own
// programs and libraries, about 300 MiB of real files.
func makeArchive(ctx context.Context, dir string) (string, error) {
	const size = 300 << 20
	root := filepath.Join(dir, "big")
	if err := collect(root, size); err != nil {
		return "", err
	}
	layer := filepath.Join(dir, "layer.tar.gz")
	tar := exec.CommandContext(ctx, "tar", "-C", root, "-czf", layer, ".")
	if out, err := tar.CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %w: %s", err, out)
	}
	if err := os.RemoveAll(root); err != nil {
		return "", err
	}
	l, err := tarball.LayerFromFile(layer)
	if err != nil {
		return "", err
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		return "", err
	}
	img, err := mutate.AppendLayers(base, l)
	if err != nil {
		return "", err
	}
	tag, err := name.NewTag("docker.io/library/big:v1")
	if err != nil {
		return "", err
	}
	archive := filepath.Join(dir, "big.tar")
	return archive, tarball.WriteToFile(archive, tag, img)
}

// collect links or copies files of the node's /usr into root until they make
// size bytes.
func collect(root string, size int64) error {
	var have int64
	stop := fmt.Errorf("enough")
	err := filepath.Walk("/usr", func(path string, fi os.FileInfo, err error) error {
		if err != nil || !fi.Mode().IsRegular() || fi.Size() > 32<<20 {
			return nil
		}
		target := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, b, fi.Mode().Perm()); err != nil {
			return err
		}
		if have += int64(len(b)); have >= size {
			return stop
		}
		return nil
	})
	if err == stop {
		return nil
	}
	return err
}
