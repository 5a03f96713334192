package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Reflink makes the file that the descriptor to refers to one with the content
// of from that shares its extents: no data is copied. It fails with
// ErrNoReflink where the file system cannot.
func Reflink(to int, from *os.File) error {
	err := unix.IoctlFileClone(to, int(from.Fd()))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w (%w)", ErrNoReflink, err)
	}
	return fmt.Errorf("share the extents of %s: %w", from.Name(), err)
}

// ErrNoReflink says that two files cannot share extents.
var ErrNoReflink = errors.New("the file system cannot share extents between files")

// CopySparse copies what from holds up to size to the empty file that the
// descriptor to refers to, and leaves out its holes. report gets the bytes of data done so far; nil is
// nobody.
func CopySparse(ctx context.Context, to int, from *os.File, size int64, report func(int64)) error {
	buf := make([]byte, 1<<20)
	var done int64
	for at := int64(0); at < size; {
		start, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // a hole to the end
		}
		end := size
		if err == nil {
			if end, err = unix.Seek(int(from.Fd()), start, unix.SEEK_HOLE); err != nil {
				return &os.PathError{Op: "seek", Path: from.Name(), Err: err}
			}
		} else if start = at; !errors.Is(err, unix.EINVAL) { // EINVAL: it does not know holes
			return &os.PathError{Op: "seek", Path: from.Name(), Err: err}
		}
		for start < min(end, size) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := from.ReadAt(buf[:min(int64(len(buf)), min(end, size)-start)], start)
			if n > 0 {
				if err := writeAt(to, buf[:n], start); err != nil {
					return err
				}
			}
			start += int64(n)
			if done += int64(n); report != nil {
				report(done)
			}
			if errors.Is(err, io.EOF) {
				return unix.Ftruncate(to, size) // it has become shorter
			}
			if err != nil {
				return err
			}
		}
		at = end
	}
	return unix.Ftruncate(to, size)
}

func writeAt(fd int, b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

// CopyFile makes the new file to a copy of from that shares its extents where
// the file system can, and says whether it does.
func CopyFile(ctx context.Context, to, from string, report func(int64)) (shared bool, err error) {
	src, err := os.Open(from)
	if err != nil {
		return false, err
	}
	defer src.Close()
	st, err := src.Stat()
	if err != nil {
		return false, err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, st.Mode().Perm())
	if err != nil {
		return false, err
	}
	err = Reflink(int(dst.Fd()), src)
	if shared = err == nil; errors.Is(err, ErrNoReflink) {
		err = CopySparse(ctx, int(dst.Fd()), src, st.Size(), report)
	}
	return shared, errors.Join(err, dst.Close())
}
