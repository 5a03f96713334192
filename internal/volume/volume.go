// Package volume keeps the directories of a node's volumes: one per volume,
// named by its id, below one directory.
package volume

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
)

// Dir is the directory that holds the volumes. Its methods may be called
// concurrently.
type Dir string

// Path is where the files of a volume lie.
func (d Dir) Path(id string) string { return filepath.Join(string(d), id) }

// Create makes the directory of a volume. Idempotent.
func (d Dir) Create(_ context.Context, id string) error {
	if err := d.check(id); err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o711); err != nil {
		return fmt.Errorf("make the volumes' directory: %w", err)
	}
	if err := os.MkdirAll(d.Path(id), 0o755); err != nil {
		return fmt.Errorf("make volume %s: %w", id, err)
	}
	return nil
}

// Remove takes a volume's directory away with what is in it, and says how many
// bytes that freed. Idempotent.
func (d Dir) Remove(_ context.Context, id string) (int64, error) {
	if err := d.check(id); err != nil {
		return 0, err
	}
	size, err := treeSize(d.Path(id))
	if err != nil {
		return 0, fmt.Errorf("measure volume %s: %w", id, err)
	}
	if err := os.RemoveAll(d.Path(id)); err != nil {
		return 0, fmt.Errorf("remove volume %s: %w", id, err)
	}
	return size, nil
}

// Resources lists the directories; each is owned by the volume of its name.
func (d Dir) Resources(context.Context) ([]api.Resource, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var out []api.Resource
	for _, e := range entries {
		out = append(out, api.Resource{Kind: "directory", Name: d.Path(e.Name()), Owner: e.Name()})
	}
	return out, nil
}

// Collect removes a directory whose volume is gone. Idempotent.
func (d Dir) Collect(ctx context.Context, r api.Resource) error {
	_, err := d.Remove(ctx, filepath.Base(r.Name))
	return err
}

func (d Dir) check(id string) error {
	if !filepath.IsLocal(id) || id != filepath.Base(id) || id == "." {
		return api.Errorf(api.CodeInvalid, "%q is not the id of a volume", id)
	}
	return nil
}

// treeSize adds up the regular files below dir; 0 when it is missing.
func treeSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return nil
	})
	return size, err
}
