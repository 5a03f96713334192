// Package volume keeps a node's volumes: one directory for each, named by its
// id, below one directory. A volume with a size is a disk (internal/disk).
//
// What replaces the content of a volume, or makes a new one from another, is
// put together beside it under ID.new and takes its place with one rename: a
// daemon that is killed half way leaves the old or the new, and what it leaves
// of the other is collected.
package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/disk"
)

// Unpack reads a tar, plain or compressed, into a directory. No entry leads
// out of it. bounded says that the directory has a limit of its own.
type Unpack func(ctx context.Context, dir string, r io.Reader, bounded bool, report func(int64)) error

// Store keeps the volumes. It is made by New. Its methods may be called
// concurrently.
type Store struct {
	dir    string
	disks  *disk.Store
	unpack Unpack

	mu      sync.Mutex
	holds   map[string]map[string]hold // +checklocks:mu by volume, then instance
	claims  map[string]string          // +checklocks:mu what is being done to a volume
	reading map[string]int             // +checklocks:mu copies that are being made of a volume
}

// New returns the store of the volumes in dir.
func New(dir string, disks *disk.Store, unpack Unpack) *Store {
	return &Store{
		dir: dir, disks: disks, unpack: unpack,
		holds: map[string]map[string]hold{}, claims: map[string]string{}, reading: map[string]int{},
	}
}

// newSuffix follows an id where its next content is put together.
const newSuffix = ".new"

// Path is where the files of a volume lie.
func (s *Store) Path(id string) string { return filepath.Join(s.dir, id) }

func (s *Store) newPath(id string) string { return s.Path(id) + newSuffix }

// Create makes a volume, or brings one back after a reboot, with a limit of
// size bytes unless that is 0. Idempotent.
func (s *Store) Create(ctx context.Context, id string, size int64) error {
	if err := check(id); err != nil {
		return err
	}
	if err := s.makeDir(); err != nil {
		return err
	}
	return s.fill(ctx, s.Path(id), size)
}

func (s *Store) makeDir() error {
	if err := os.MkdirAll(s.dir, 0o711); err != nil {
		return fmt.Errorf("make the volumes' directory: %w", err)
	}
	return nil
}

// fill makes an empty directory, or disk.
func (s *Store) fill(ctx context.Context, dir string, size int64) error {
	if size > 0 {
		return s.disks.Make(ctx, dir, size)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make volume: %w", err)
	}
	return nil
}

// Method is how a size is enforced here, or why it cannot be.
func (s *Store) Method() (api.DiskMethod, error) { return s.disks.Method() }

// Grow changes the size of a volume that has one, while it is used.
func (s *Store) Grow(ctx context.Context, id string, size int64) error {
	if err := check(id); err != nil {
		return err
	}
	return s.disks.Grow(ctx, s.Path(id), size)
}

// Usage is what a volume with a size may hold and holds.
func (s *Store) Usage(id string) (api.DiskUsage, error) {
	if err := check(id); err != nil {
		return api.DiskUsage{}, err
	}
	return s.disks.Usage(s.Path(id))
}

// Remove takes a volume away with what is in it, and says how many bytes that
// freed. Idempotent.
func (s *Store) Remove(_ context.Context, id string) (int64, error) {
	if err := check(id); err != nil {
		return 0, err
	}
	size, err := s.Stored(id)
	if err != nil {
		return 0, fmt.Errorf("measure volume %s: %w", id, err)
	}
	if err := s.disks.Remove(s.Path(id)); err != nil {
		return 0, fmt.Errorf("remove volume %s: %w", id, err)
	}
	return size, nil
}

// Stored is what a volume takes on the node, in bytes. It may have to look at
// every file.
func (s *Store) Stored(id string) (int64, error) {
	if err := check(id); err != nil {
		return 0, err
	}
	if u, err := s.disks.Usage(s.Path(id)); err == nil {
		return u.Allocated, nil
	}
	return treeSize(s.Path(id))
}

// Resources lists the directories and images; each is owned by the volume
// whose id its name begins with. What was to become a volume, or to replace
// one, and nobody works on is stale.
func (s *Store) Resources(context.Context) ([]api.Resource, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var out []api.Resource
	for _, e := range entries {
		id, rest, _ := strings.Cut(e.Name(), ".")
		r := api.Resource{Kind: "directory", Name: s.Path(e.Name()), Owner: id}
		if !e.IsDir() {
			r.Kind = "file"
		}
		r.Stale = strings.HasPrefix("."+rest, newSuffix) && !s.working(id)
		out = append(out, r)
	}
	return out, nil
}

// Collect removes what Resources listed and nobody owns. Idempotent.
func (s *Store) Collect(_ context.Context, r api.Resource) error {
	name := filepath.Base(r.Name)
	id, rest, _ := strings.Cut(name, ".")
	if err := check(id); err != nil {
		return err
	}
	if strings.HasPrefix("."+rest, newSuffix) {
		return s.disks.Remove(s.newPath(id))
	}
	return s.disks.Remove(s.Path(id))
}

func check(id string) error {
	if !filepath.IsLocal(id) || id != filepath.Base(id) || strings.Contains(id, ".") {
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
