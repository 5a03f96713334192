// Package disk gives directories an enforced size: the writable layers of
// instances, and volumes. A directory with one is called a disk.
//
//	quota   the directory has a project of its own on a file system that keeps
//	        project quotas (ext4 and XFS, mounted with prjquota)
//	image   elsewhere: an ext4 file system in the sparse file DIR.img, mounted
//	        on the directory through a loop device
//
// How a disk is made is read from what is there, so that one stays what it is
// when the file system learns or forgets something. Every step may be repeated:
// Make finishes what a crash, or a reboot that took the mounts, left undone.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/disk"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// imageSuffix follows a directory's path in that of its image; what is being
// made has tempSuffix too.
const (
	imageSuffix = ".img"
	tempSuffix  = ".tmp"
)

// Store makes disks below one directory. It is made by Open. Its methods may
// be called concurrently; two that change one disk wait for each other.
type Store struct {
	base   string
	log    *slog.Logger
	method func() (api.DiskMethod, error)

	choose sync.Mutex // one choice of a project or a loop device at a time

	mu    sync.Mutex
	locks map[string]*lock // +checklocks:mu by directory
}

type lock struct {
	sync.Mutex
	users int
}

// Open returns the store of what is below base, the data directory. File
// systems that a killed daemon left frozen are thawed.
func Open(base string, log *slog.Logger) *Store {
	s := &Store{base: base, log: log, locks: map[string]*lock{}}
	s.method = sync.OnceValues(s.probe)
	for _, m := range s.mounts() {
		if err := disk.Thaw(m); err != nil {
			log.Error("thaw a disk", "dir", m, "error", err)
		}
	}
	return s
}

// probe finds out how disks are made here.
func (s *Store) probe() (api.DiskMethod, error) {
	if err := disk.TryQuota(s.base); err == nil {
		return api.DiskQuota, nil
	}
	if _, err := disk.TryLoop(); err != nil {
		return "", api.Errorf(api.CodeNotSupported, "sizes cannot be enforced on this node: %v, and its file system has no project quotas", err).
			WithHint("install e2fsprogs, or mount the data directory with prjquota; virga node says what is missing")
	}
	return api.DiskImage, nil
}

// Method is how a new disk is made, or the NotSupported error that says why
// there can be none.
func (s *Store) Method() (api.DiskMethod, error) { return s.method() }

// Make sees that dir is there and holds at most size bytes: a new disk of the
// node's method, or the one there is, mounted. It never changes the size of
// one. Idempotent.
func (s *Store) Make(ctx context.Context, dir string, size int64) error {
	defer s.lock(dir)()
	return s.make(ctx, dir, size)
}

func (s *Store) make(ctx context.Context, dir string, size int64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	switch has, err := methodOf(dir); {
	case err != nil:
		return err
	case has == api.DiskImage:
		return s.mount(dir)
	case has == api.DiskQuota:
		return nil
	}
	method, err := s.Method()
	if err != nil {
		return err
	}
	if method == api.DiskQuota {
		s.choose.Lock()
		defer s.choose.Unlock()
		return disk.Limit(dir, size)
	}
	temp := dir + imageSuffix + tempSuffix
	if err := disk.Format(ctx, temp, size); err != nil {
		return errors.Join(full(err, dir), os.Remove(temp))
	}
	if err := os.Rename(temp, dir+imageSuffix); err != nil {
		return err
	}
	return s.mount(dir)
}

// mount mounts a disk's image unless it is mounted. The caller holds its lock.
func (s *Store) mount(dir string) error {
	if isMounted(dir) {
		return nil
	}
	s.choose.Lock()
	defer s.choose.Unlock()
	d, err := disk.OpenLoop(dir + imageSuffix)
	if err != nil {
		return fmt.Errorf("disk %s: %w", dir, err)
	}
	defer d.Close() // the mount keeps the device
	if err := disk.Mount(d.Name(), dir); err != nil {
		return fmt.Errorf("disk %s: %w", dir, err)
	}
	err = os.Remove(filepath.Join(dir, "lost+found")) // an empty disk is to look empty
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotEmpty(err) {
		return err
	}
	return nil
}

// methodOf is how a directory is limited, "" when it is not.
func methodOf(dir string) (api.DiskMethod, error) {
	if _, err := os.Stat(dir + imageSuffix); err == nil {
		return api.DiskImage, nil
	}
	project, err := disk.Project(dir)
	if err == nil && project != 0 {
		return api.DiskQuota, nil
	}
	return "", err
}

// isMounted reports whether something is mounted on dir itself.
func isMounted(dir string) bool { return mount.IsRoot(dir) }

// Grow makes a disk larger while it is used; a quota can be made smaller too,
// but not below what the disk holds. A daemon without CAP_SYS_RESOURCE can
// only grow an image that is not in use, and says so.
func (s *Store) Grow(ctx context.Context, dir string, size int64) error {
	defer s.lock(dir)()
	return s.grow(ctx, dir, size)
}

func (s *Store) grow(ctx context.Context, dir string, size int64) error {
	method, err := methodOf(dir)
	if err != nil {
		return err
	}
	if method == api.DiskImage {
		if err := s.mount(dir); err != nil {
			return err
		}
	}
	u, err := usage(dir, method)
	if err != nil {
		return err
	}
	if err := u.CanBecome(size); err != nil || size == u.Size {
		return err
	}
	if method == api.DiskQuota {
		return disk.Limit(dir, size)
	}
	s.choose.Lock()
	err = disk.Grow(dir+imageSuffix, dir, size)
	s.choose.Unlock()
	if errors.Is(err, disk.ErrGrowth) {
		err = s.growUnused(ctx, dir, size)
	}
	return full(err, dir)
}

// growUnused grows an image while it is unmounted.
func (s *Store) growUnused(ctx context.Context, dir string, size int64) error {
	if err := unmount(dir); err != nil {
		return err
	}
	busy, err := disk.Shown(dir + imageSuffix)
	switch {
	case err != nil:
		return err
	case busy:
		err = api.Errorf(api.CodeNotSupported, "the disk is in use, and this daemon lacks CAP_SYS_RESOURCE, which growing it then takes").InField("size").
			WithHint("stop who uses it, then ask again; or give the daemon the capability")
	default:
		err = disk.GrowUnused(ctx, dir+imageSuffix, size)
	}
	return errors.Join(err, s.mount(dir))
}

// Usage is what a disk may hold and holds. It is NotFound of a directory that
// is no disk.
func (s *Store) Usage(dir string) (api.DiskUsage, error) {
	method, err := methodOf(dir)
	if err == nil && method == "" {
		return api.DiskUsage{}, api.Errorf(api.CodeNotFound, "%s has no size", dir)
	}
	if err != nil {
		return api.DiskUsage{}, err
	}
	return usage(dir, method)
}

func usage(dir string, method api.DiskMethod) (u api.DiskUsage, err error) {
	u.Method = method
	switch method {
	case api.DiskQuota:
		u.Size, u.Used, _, err = disk.Quota(dir)
		u.Allocated = u.Used
	case api.DiskImage:
		if u.Size, u.Allocated, err = disk.Allocated(dir + imageSuffix); err != nil || !isMounted(dir) {
			return u, err // what is used is not known before its next mount
		}
		u.Used, u.Free, err = disk.Space(dir)
		return u, err
	default:
		return u, api.Errorf(api.CodeConflict, "%s was made without a size", dir)
	}
	u.Free = max(u.Size-u.Used, 0)
	return u, err
}

// Release gives back what a disk stands on: its mount and image, or its limit.
// The directory stays, of an image without anything in it. Idempotent, and no
// matter for a directory that is no disk.
func (s *Store) Release(dir string) error {
	defer s.lock(dir)()
	return release(dir)
}

func release(dir string) error {
	if err := unmount(dir); err != nil {
		return err
	}
	if _, _, ok, err := disk.Quota(dir); err == nil && ok {
		if err := disk.Limit(dir, 0); err != nil { // the record of the limit goes with the last file
			return err
		}
	}
	var errs []error
	for _, f := range []string{dir + imageSuffix, dir + imageSuffix + tempSuffix} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Unmount takes a disk out of use; its next Make brings it back. Nobody may
// write to it any more. Idempotent.
func (s *Store) Unmount(dir string) error {
	defer s.lock(dir)()
	return unmount(dir)
}

func unmount(dir string) error {
	if isMounted(dir) {
		if err := mount.Detach(dir); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes a directory away, disk or not, with all that is in it.
// Idempotent.
func (s *Store) Remove(dir string) error {
	defer s.lock(dir)()
	return remove(dir)
}

func remove(dir string) error {
	return errors.Join(release(dir), os.RemoveAll(dir))
}

// lock locks one disk.
func (s *Store) lock(dir string) (unlock func()) {
	s.mu.Lock()
	l := s.locks[dir]
	if l == nil {
		l = &lock{}
		s.locks[dir] = l
	}
	l.users++
	s.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.locks, dir)
		}
	}
}

// mounts are the paths below base that images are mounted on.
func (s *Store) mounts() []string {
	var all []string
	for _, m := range mount.Below(s.base) {
		if _, err := os.Stat(m + imageSuffix); err == nil {
			all = append(all, m)
		}
	}
	return all
}

// owner is whose a path below base is: KIND/OWNER… or KIND/OWNER.…
func (s *Store) owner(p string) string {
	rel, err := filepath.Rel(s.base, p)
	if err != nil {
		return ""
	}
	parts := strings.Split(rel, "/")
	if len(parts) < 2 || parts[0] == ".." {
		return ""
	}
	owner, _, _ := strings.Cut(parts[1], ".")
	return owner
}
