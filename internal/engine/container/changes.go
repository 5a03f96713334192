package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// Changes implements node.Engine: what the writable layer has that the image
// has not. It reads the layer itself, which shows the same while the instance
// runs.
func (e *Engine) Changes(ctx context.Context, t engine.Task) ([]api.FileChange, error) {
	upper, err := os.OpenRoot(filepath.Join(engine.Writable(t.Dir), "upper"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it never ran
	}
	if err != nil {
		return nil, fmt.Errorf("open writable layer of %s: %w", t.Instance, err)
	}
	defer upper.Close()
	m, err := mount.Overlay{Layers: e.layers(t.Layers)}.Mount()
	if err != nil {
		return nil, fmt.Errorf("mount image of %s: %w", t.Instance, err)
	}
	defer m.Close()
	lower, err := os.OpenRoot(fdPath(m))
	if err != nil {
		return nil, fmt.Errorf("open image of %s: %w", t.Instance, err)
	}
	defer lower.Close()
	d := difference{ctx: ctx, upper: upper, lower: lower}
	if err := d.dir(".", true); err != nil {
		return nil, fmt.Errorf("compare %s with its image: %w", t.Instance, err)
	}
	return d.found, nil
}

// difference walks a writable layer beside what lies below it.
type difference struct {
	ctx          context.Context
	upper, lower *os.Root
	found        []api.FileChange
}

// dir compares one directory; below says whether the image has it too.
func (d *difference) dir(name string, below bool) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	entries, err := names(d.upper, name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		p := path.Join(name, entry)
		info, err := d.upper.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the instance goes on meanwhile
		}
		if err != nil {
			return err
		}
		var was fs.FileInfo
		if below {
			was, _ = d.lower.Lstat(p) // missing is the answer
		}
		switch {
		case whiteout(info):
			if was != nil {
				d.add(api.FileDeleted, p, nil)
			}
			continue
		case was == nil:
			d.add(api.FileAdded, p, info)
		default:
			d.add(api.FileChanged, p, info)
		}
		if !info.IsDir() {
			continue
		}
		both := was != nil && was.IsDir()
		if both && d.opaque(p) {
			if err := d.hidden(p); err != nil {
				return err
			}
		}
		if err := d.dir(p, both); err != nil {
			return err
		}
	}
	return nil
}

// hidden adds what the image has in a directory that was made anew.
func (d *difference) hidden(name string) error {
	entries, err := names(d.lower, name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, err := d.upper.Lstat(path.Join(name, entry)); errors.Is(err, fs.ErrNotExist) {
			d.add(api.FileDeleted, path.Join(name, entry), nil)
		}
	}
	return nil
}

// add records a change; info is of what is there now, nil of nothing.
func (d *difference) add(kind, name string, info fs.FileInfo) {
	c := api.FileChange{Kind: kind, Path: "/" + name}
	if info != nil && info.Mode().IsRegular() {
		c.Size = info.Size()
	}
	d.found = append(d.found, c)
}

// opaque says whether a directory of the writable layer hides the one below.
func (d *difference) opaque(name string) bool {
	f, err := d.upper.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, attr := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		var b [1]byte
		if n, err := syscall.Getxattr(fdPath(f), attr, b[:]); err == nil && n == 1 && b[0] == 'y' {
			return true
		}
	}
	return false
}

// whiteout says whether an entry stands for a deleted one: a character device
// 0:0.
func whiteout(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && st.Rdev == 0
}

// names are those in a directory, sorted.
func names(r *os.Root, dir string) ([]string, error) {
	f, err := r.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := f.Readdirnames(-1)
	slices.SortFunc(list, strings.Compare)
	return list, err
}
