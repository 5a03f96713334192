package mount

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Attributes of a mount, for SetAttr.
const (
	ReadOnly = unix.MOUNT_ATTR_RDONLY
	NoSuid   = unix.MOUNT_ATTR_NOSUID
	NoDev    = unix.MOUNT_ATTR_NODEV
	NoExec   = unix.MOUNT_ATTR_NOEXEC
)

// Clone makes a detached mount of the file or directory at path, with all
// that is mounted below it when recursive.
func Clone(path string, recursive bool) (*os.File, error) {
	return cloneAt(unix.AT_FDCWD, path, recursive)
}

// CloneFile is Clone of what f refers to.
func CloneFile(f *os.File, recursive bool) (*os.File, error) {
	return cloneAt(int(f.Fd()), "", recursive)
}

func cloneAt(dir int, path string, recursive bool) (*os.File, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := retry(func() (int, error) { return unix.OpenTree(dir, path, flags) })
	if err != nil {
		return nil, fmt.Errorf("clone mount of %q: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// SetAttr sets attributes on a mount, on those below it too when recursive.
func SetAttr(m *os.File, attrs uint64, recursive bool) error {
	return setattr(m, unix.MountAttr{Attr_set: attrs}, recursive)
}

// Private stops a mount, and those below it, from propagating either way.
func Private(m *os.File) error {
	return setattr(m, unix.MountAttr{Propagation: unix.MS_PRIVATE}, true)
}

// MapIDs shows the files of a detached mount with the ids that userns maps
// them to: what is stored as 0 appears as the host id of the namespace's 0.
// It fails with ErrNoIDMap where the file system, or one mounted below it when
// recursive, cannot do that.
func MapIDs(m, userns *os.File, recursive bool) error {
	err := setattr(m, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns.Fd())}, recursive)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w (%w)", ErrNoIDMap, err)
	}
	return err
}

// privateMapped is Private and MapIDs of a single mount in one.
func privateMapped(m, userns *os.File) error {
	err := setattr(m, unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns.Fd()), Propagation: unix.MS_PRIVATE,
	}, false)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w (%w)", ErrNoIDMap, err)
	}
	return err
}

// Same reports whether two paths are on one mount.
func Same(a, b string) bool {
	x, xok := mountID(a)
	y, yok := mountID(b)
	return xok && yok && x == y
}

// mountID is false where the kernel, or the path, has none.
func mountID(path string) (uint64, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID, &st)
	return st.Mnt_id, err == nil && st.Mask&unix.STATX_MNT_ID != 0
}

// ErrNoIDMap says that a file system cannot be mounted with shifted ids.
var ErrNoIDMap = errors.New("the file system cannot map ids")

func setattr(m *os.File, a unix.MountAttr, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	_, err := retry(func() (int, error) { return 0, unix.MountSetattr(int(m.Fd()), "", flags, &a) })
	if err != nil {
		return fmt.Errorf("set attributes of mount %q: %w", m.Name(), err)
	}
	return nil
}

// Attach puts a detached mount on the directory or file target.
func Attach(m *os.File, target string) error {
	_, err := retry(func() (int, error) {
		return 0, unix.MoveMount(int(m.Fd()), "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
	})
	if err != nil {
		return fmt.Errorf("attach mount on %s: %w", target, err)
	}
	return nil
}

// Detach takes the topmost mount at target away, as soon as nobody uses it.
// It is idempotent.
func Detach(target string) error {
	err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err == nil || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("unmount %s: %w", target, err)
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
