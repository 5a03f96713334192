package tree

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/disk"
)

const bufferSize = 256 << 10

// Dir makes a directory, or gives an existing one new metadata. "." is the
// root of the tree.
func (t *Tree) Dir(name string, m Meta) error {
	if name == "." || name == "" {
		fd, err := t.open(".", unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return fmt.Errorf("open the root: %w", err)
		}
		return t.finishDir(fd, ".", m)
	}
	parent, base, err := t.enter(name)
	if err != nil {
		return err
	}
	fd, err := openDir(parent, base)
	if err != nil {
		if err := t.clear(parent, base, name); err != nil {
			return err
		}
		if err := unix.Mkdirat(parent, base, 0o700); err != nil {
			return fmt.Errorf("make directory %s: %w", name, err)
		}
		if fd, err = openDir(parent, base); err != nil {
			return fmt.Errorf("open directory %s: %w", name, err)
		}
	}
	if err := t.finishDir(fd, name, m); err != nil {
		return err
	}
	if t.hidden[path.Clean(name)] { // deleted below and made anew here
		return t.Opaque(name)
	}
	return nil
}

func (t *Tree) finishDir(fd int, name string, m Meta) error {
	defer unix.Close(fd)
	if err := setMeta(fd, m); err != nil {
		return fmt.Errorf("directory %s: %w", name, err)
	}
	t.times = append(t.times, dirTime{name, m.ModTime})
	return nil
}

// File makes a regular file of what r yields and returns its size.
func (t *Tree) File(name string, m Meta, r io.Reader) (n int64, err error) {
	err = t.file(name, m, func(fd int) (err error) {
		n, err = t.fill(fd, r)
		return err
	})
	return n, err
}

// Copy makes a regular file of the first size bytes of from, holes left out,
// and says whether it shares their space with from, so that nothing was
// copied. report gets the bytes copied; nil is nobody.
func (t *Tree) Copy(ctx context.Context, name string, m Meta, from *os.File, size int64, report func(int64)) (shared bool, err error) {
	err = t.file(name, m, func(fd int) error {
		err := disk.Reflink(fd, from)
		if shared = err == nil; !errors.Is(err, disk.ErrNoReflink) {
			return err
		}
		return disk.CopySparse(ctx, fd, from, size, report)
	})
	return shared, err
}

// file makes a regular file of what write puts into it.
func (t *Tree) file(name string, m Meta, write func(fd int) error) error {
	parent, base, err := t.enter(name)
	if err != nil {
		return err
	}
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(parent, base, flags, 0o600)
	if err == unix.EEXIST {
		if err := t.clear(parent, base, name); err != nil {
			return err
		}
		fd, err = unix.Openat(parent, base, flags, 0o600)
	}
	if err != nil {
		return fmt.Errorf("make file %s: %w", name, err)
	}
	if err = write(fd); err == nil {
		err = setMeta(fd, m)
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("file %s: %w", name, err)
	}
	return t.setTime(parent, base, name, m)
}

func (t *Tree) fill(fd int, r io.Reader) (int64, error) {
	if t.buf == nil {
		t.buf = make([]byte, bufferSize)
	}
	var n, hole int64 // hole is what was left out at the end
	for {
		k, rerr := io.ReadFull(r, t.buf)
		if t.Sparse && k > 0 && zero(t.buf[:k]) {
			if _, err := unix.Seek(fd, int64(k), unix.SEEK_CUR); err != nil {
				return n, fmt.Errorf("seek: %w", err)
			}
			n, hole = n+int64(k), hole+int64(k)
			k = 0
		} else if k > 0 {
			hole = 0
		}
		for b := t.buf[:k]; len(b) > 0; {
			w, err := unix.Write(fd, b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return n, fmt.Errorf("write: %w", err)
			}
			n, b = n+int64(w), b[w:]
		}
		// ReadFull says ErrUnexpectedEOF both for the natural end and for a
		// reader that was cut: the caller compares n with the size promised.
		if errors.Is(rerr, io.EOF) || errors.Is(rerr, io.ErrUnexpectedEOF) {
			if hole > 0 {
				return n, unix.Ftruncate(fd, n)
			}
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// zero reports whether all bytes are 0.
func zero(b []byte) bool {
	for len(b) >= 8 {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Symlink makes a symbolic link. The target is kept as it is: it means
// something only to who looks at the tree as a root.
func (t *Tree) Symlink(name, target string, m Meta) error {
	return t.make(name, "symbolic link", m, func(parent int, base string) error {
		return unix.Symlinkat(target, parent, base)
	})
}

// Fifo makes a named pipe.
func (t *Tree) Fifo(name string, m Meta) error {
	return t.make(name, "fifo", m, func(parent int, base string) error {
		if err := unix.Mknodat(parent, base, unix.S_IFIFO, 0); err != nil {
			return err
		}
		return unix.Fchmodat(parent, base, m.Mode, 0)
	})
}

// make makes an entry that has an owner and times but no content.
func (t *Tree) make(name, kind string, m Meta, mk func(parent int, base string) error) error {
	parent, base, err := t.enter(name)
	if err != nil {
		return err
	}
	if err := t.clear(parent, base, name); err != nil {
		return err
	}
	if err := mk(parent, base); err != nil {
		return fmt.Errorf("make %s %s: %w", kind, name, err)
	}
	if err := unix.Fchownat(parent, base, m.UID, m.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set owner of %s: %w", name, err)
	}
	return t.setTime(parent, base, name, m)
}

// Link makes name another name of target, which must be in the tree already
// and is not followed when it is a symbolic link.
func (t *Tree) Link(name, target string) error {
	dir, last := path.Split(path.Clean("/" + target))
	from, err := t.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("hard link %s to %s: %w", name, target, err)
	}
	defer unix.Close(from)
	parent, base, err := t.enter(name)
	if err != nil {
		return err
	}
	err = unix.Linkat(from, last, parent, base, 0)
	if err == unix.EEXIST {
		if sameEntry(from, last, parent, base) {
			return nil
		}
		if err := t.clear(parent, base, name); err != nil {
			return err
		}
		err = unix.Linkat(from, last, parent, base, 0)
	}
	if err != nil {
		return fmt.Errorf("hard link %s to %s: %w", name, target, err)
	}
	return nil
}

// clear removes what an earlier entry of the same archive put at a name.
func (t *Tree) clear(parent int, base, name string) error {
	err := unix.Unlinkat(parent, base, 0)
	if err == unix.EISDIR {
		err = unix.Unlinkat(parent, base, unix.AT_REMOVEDIR)
	}
	if err == unix.ENOENT {
		return nil
	}
	if err == nil {
		// The entry may be part of the remembered name. The handle stays: the
		// caller works with it.
		t.dirName = "\x00"
		return nil
	}
	return fmt.Errorf("replace %s: %w", name, err)
}

func (t *Tree) setTime(parent int, base, name string, m Meta) error {
	if err := unix.UtimesNanoAt(parent, base, timespecs(m.ModTime), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set times of %s: %w", name, err)
	}
	return nil
}

func openDir(parent int, base string) (int, error) {
	return unix.Openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

func sameEntry(d1 int, n1 string, d2 int, n2 string) bool {
	var a, b unix.Stat_t
	return unix.Fstatat(d1, n1, &a, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		unix.Fstatat(d2, n2, &b, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		a.Dev == b.Dev && a.Ino == b.Ino
}

// setMeta sets owner, mode and attributes in the order that keeps them: a
// change of owner clears set-user-id bits and file capabilities.
func setMeta(fd int, m Meta) error {
	if err := unix.Fchown(fd, m.UID, m.GID); err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	if err := unix.Fchmod(fd, m.Mode); err != nil {
		return fmt.Errorf("set mode: %w", err)
	}
	for k, v := range m.Xattrs {
		if err := unix.Fsetxattr(fd, k, []byte(v), 0); err != nil && err != unix.ENOTSUP {
			return fmt.Errorf("set attribute %s: %w", k, err)
		}
	}
	return nil
}
