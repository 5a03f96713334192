package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/mount"
	"github.com/virga-cloud/virga/internal/linux/proc"
)

// ReadFiles implements node.Engine. The tar's names begin with the last part
// of path; a link is read as a link.
func (e *Engine) ReadFiles(ctx context.Context, t engine.Task, name string, w io.Writer) error {
	f, err := e.openFiles(t, name)
	if err != nil {
		return err
	}
	defer f.close()
	parent, err := f.Open(path.Dir(f.path), syscall.O_DIRECTORY|os.O_RDONLY, 0)
	if err != nil {
		return fileError(name, err)
	}
	defer parent.Close()
	dir, err := os.OpenRoot(fdPath(parent))
	if err != nil {
		return err
	}
	defer dir.Close()
	return fileError(name, archive(ctx, dir, path.Base(f.path), f.ids, w))
}

// WriteFiles implements node.Engine.
func (e *Engine) WriteFiles(ctx context.Context, t engine.Task, name string, r io.Reader) error {
	f, err := e.openFiles(t, name)
	if err != nil {
		return err
	}
	defer f.close()
	dir, err := f.Open(f.path, syscall.O_DIRECTORY|os.O_RDONLY, 0)
	if err != nil {
		return fileError(name, err)
	}
	defer dir.Close()
	return fileError(name, mount.AsOwner(f.ids, func() error { return extract(ctx, fdPath(dir), f.ids, r) }))
}

// files is a root whose files are read or written from outside.
type files struct {
	mount.Root
	path string // in the root
	ids  uint32 // host id that the root shows 0 as
}

func (f *files) close() { f.Dir.Close() }

// openFiles opens what a path of the instance is in: the root that a running
// instance sees, or for a stopped one the volume or the layers that would be
// there.
func (e *Engine) openFiles(t engine.Task, name string) (*files, error) {
	if name = path.Clean("/" + name); name == "." {
		name = "/"
	}
	if l, err := e.of(t.Instance); err == nil {
		dir, err := proc.Root(l.pid)
		if err != nil {
			return nil, notRunning(t.Instance)
		}
		ids, _ := proc.FirstID(l.pid)
		return &files{mount.Root{Dir: dir}, name, ids}, nil
	}
	for i := len(t.Mounts) - 1; i >= 0; i-- {
		m := t.Mounts[i]
		if m.Host == "" || !isBelow(name, path.Clean(m.Target)) {
			continue
		}
		if st, err := os.Stat(m.Host); err != nil || !st.IsDir() {
			continue
		}
		dir, err := os.Open(m.Host)
		return &files{mount.Root{Dir: dir}, "/" + name[len(path.Clean(m.Target)):], 0}, err
	}
	if err := os.MkdirAll(engine.Writable(t.Dir), 0o711); err != nil {
		return nil, err
	}
	dir, err := mount.Overlay{Layers: e.layers(t.Layers), Writable: engine.Writable(t.Dir)}.Mount()
	if err != nil {
		return nil, fmt.Errorf("mount root of %s: %w", t.Instance, err)
	}
	return &files{mount.Root{Dir: dir}, name, 0}, nil
}

func fdPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d/.", f.Fd()) }

// fileError turns what is wrong with a path into the user's error.
func fileError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return api.Errorf(api.CodeNotFound, "%s: no such file or directory in the instance", name).InField("path")
	case errors.Is(err, syscall.ENOTDIR):
		return api.Invalid("path", "%s is not a directory in the instance", name)
	case errors.Is(err, syscall.EROFS):
		return api.Errorf(api.CodeConflict, "%s is read-only in the instance", name).InField("path")
	case errors.Is(err, syscall.ELOOP):
		return api.Invalid("path", "%s: too many links in the instance", name)
	}
	return err
}
