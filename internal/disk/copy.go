package disk

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/disk"
	"github.com/virga-cloud/virga/internal/linux/tree"
)

// Imaged reports whether a directory is a disk in an image, which can be
// cloned as a whole.
func Imaged(dir string) bool {
	method, err := methodOf(dir)
	return err == nil && method == api.DiskImage
}

// Clone makes the directory to, which must not be there, a disk with the
// content that the image disk from has at one moment, and at least its size:
// writes to it wait meanwhile. report gets the bytes copied.
func (s *Store) Clone(ctx context.Context, to, from string, size int64, report func(int64)) (r api.CopyReport, err error) {
	defer s.lock(to)()
	image := to + imageSuffix
	r.Method, r.Consistency = api.CopyData, api.ConsistencyIdle
	err = s.frozen(from, &r, func() error {
		shared, err := disk.CopyFile(ctx, image, from+imageSuffix, report)
		if shared {
			r.Method = api.CopyReflink
		}
		return err
	})
	if err == nil {
		err = s.grown(ctx, to, size)
	}
	if err != nil {
		return r, errors.Join(full(err, to), remove(to))
	}
	return r, nil
}

// grown mounts a new clone and makes it as large as it is to be.
func (s *Store) grown(ctx context.Context, dir string, size int64) error {
	if have, _, err := disk.Allocated(dir + imageSuffix); err != nil || have >= size {
		return errors.Join(err, os.MkdirAll(dir, 0o755))
	}
	if err := s.make(ctx, dir, size); err != nil { // repairs what was cloned in use, too
		return err
	}
	return s.grow(ctx, dir, size)
}

// frozen calls f while nothing is written to a disk.
func (s *Store) frozen(dir string, r *api.CopyReport, f func() error) error {
	defer s.lock(dir)()
	if !isMounted(dir) {
		return f()
	}
	began := time.Now()
	if err := disk.Freeze(dir); err != nil {
		return err
	}
	err := f()
	err = errors.Join(err, disk.Thaw(dir))
	r.Frozen, r.Consistency = api.Duration(time.Since(began)), api.ConsistencyFrozen
	return err
}

// Rename gives a directory, disk or not, a path where nothing is. It commits
// with one rename. A disk is unmounted until its next Make.
func (s *Store) Rename(from, to string) error {
	defer s.lock(to)()
	defer s.lock(from)()
	if err := settle(from); err != nil {
		return err
	}
	if !Imaged(from) {
		return os.Rename(from, to)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := os.Rename(from+imageSuffix, to+imageSuffix); err != nil {
		return err
	}
	return remove(from)
}

// Replace puts the directory from in the place of to, which goes. Nobody may
// use either. It commits with one rename: whatever happens, to is the old or
// the new one, and from is to be removed.
func (s *Store) Replace(from, to string) error {
	defer s.lock(to)()
	defer s.lock(from)()
	if Imaged(from) != Imaged(to) {
		return api.Errorf(api.CodeConflict, "the volume was made in another way than this node makes them now").
			WithHint("restore into a new volume instead")
	}
	if err := settle(from); err != nil {
		return err
	}
	if !Imaged(to) {
		if err := disk.Exchange(from, to); err != nil {
			return err
		}
		return remove(from)
	}
	if err := unmount(to); err != nil {
		return err
	}
	if err := os.Rename(from+imageSuffix, to+imageSuffix); err != nil {
		return errors.Join(err, s.mount(to))
	}
	return errors.Join(remove(from), s.mount(to))
}

// settle writes everything of a directory to the disk, and unmounts it.
func settle(dir string) error {
	if err := tree.Sync(dir); err != nil {
		return err
	}
	if !isMounted(dir) {
		return nil
	}
	if err := unmount(dir); err != nil {
		return err
	}
	return tree.Sync(dir) // the file system that has the image
}

// Within runs f, which writes to dir, without the right to go beyond the
// limit of a disk. f must stay in its goroutine.
func Within(dir string, f func() error) error { return full(disk.Bound(f), dir) }
