package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one file of a tree that is read.
type Entry struct {
	Name string // from the root, "." for the root itself
	Meta
	Type fs.FileMode // type bits
	Size int64       // of a regular file, when it was met
	// Link is where a symbolic link leads, and for a regular file that was met
	// before under another name, that name.
	Link string
	// File is a directory or a regular file, open; it is closed after the visit.
	File *os.File
}

// Walk visits everything below dir, a directory before what is in it. The tree
// may belong to somebody hostile who changes it meanwhile: no link is followed,
// and what vanishes is left out.
func Walk(ctx context.Context, dir string, visit func(Entry) error) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	w := walk{visit: visit, seen: map[inode]string{}}
	return w.dir(ctx, f, ".")
}

type inode struct{ dev, ino uint64 }

type walk struct {
	visit func(Entry) error
	seen  map[inode]string // names of files with several
}

// dir visits an open directory and closes it.
func (w *walk) dir(ctx context.Context, f *os.File, name string) error {
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: name, Err: err}
	}
	e := entryOf(name, st)
	e.File = f
	var err error
	if e.Xattrs, err = xattrs(f); err != nil {
		return err
	}
	if err := w.visit(e); err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.one(ctx, f, n, path.Join(name, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// one visits what is at base of a directory.
func (w *walk) one(ctx context.Context, dir *os.File, base, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "stat", Path: name, Err: err}
	}
	e := entryOf(name, st)
	switch e.Type {
	case fs.ModeDir:
		f, err := openEntry(dir, base, name, unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		return w.dir(ctx, f, name)
	case fs.ModeSymlink:
		var b [unix.PathMax]byte
		n, err := unix.Readlinkat(int(dir.Fd()), base, b[:])
		if err != nil {
			return &os.PathError{Op: "readlink", Path: name, Err: err}
		}
		e.Link = string(b[:n])
	case 0:
		f, err := openEntry(dir, base, name, unix.O_NONBLOCK)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := w.file(f, &e); err != nil {
			return err
		}
	}
	return w.visit(e)
}

// file completes the entry of a regular file with what was opened, which may
// be another file than the one met before.
func (w *walk) file(f *os.File, e *Entry) (err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &os.PathError{Op: "stat", Path: e.Name, Err: err}
	}
	*e = entryOf(e.Name, st)
	if e.Type != 0 {
		return &os.PathError{Op: "open", Path: e.Name, Err: fs.ErrNotExist} // replaced meanwhile
	}
	if id := (inode{st.Dev, st.Ino}); st.Nlink > 1 {
		if e.Link = w.seen[id]; e.Link == "" {
			w.seen[id] = e.Name
		}
	}
	e.File = f
	e.Xattrs, err = xattrs(f)
	return err
}

func openEntry(dir *os.File, base, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENXIO) {
		err = fs.ErrNotExist // replaced meanwhile
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func entryOf(name string, st unix.Stat_t) Entry {
	types := map[uint32]fs.FileMode{
		unix.S_IFREG: 0, unix.S_IFDIR: fs.ModeDir, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFIFO: fs.ModeNamedPipe,
		unix.S_IFSOCK: fs.ModeSocket, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice, unix.S_IFBLK: fs.ModeDevice,
	}
	return Entry{
		Name: name, Type: types[st.Mode&unix.S_IFMT], Size: st.Size,
		Meta: Meta{UID: int(st.Uid), GID: int(st.Gid), Mode: st.Mode & 0o7777, ModTime: time.Unix(st.Mtim.Unix())},
	}
}

// xattrs reads the extended attributes of an open file.
func xattrs(f *os.File) (map[string]string, error) {
	const most = 64 << 10 // what the kernel returns at once
	buf := make([]byte, 1024)
	n, err := unix.Flistxattr(int(f.Fd()), buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, most)
		n, err = unix.Flistxattr(int(f.Fd()), buf)
	}
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("attributes of %s: %w", f.Name(), err)
	}
	all := map[string]string{}
	value := make([]byte, most)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		k, err := unix.Fgetxattr(int(f.Fd()), name, value)
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("attribute %s of %s: %w", name, f.Name(), err)
		}
		all[name] = string(value[:k])
	}
	return all, nil
}
