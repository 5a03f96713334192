package mount

import (
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is a directory that paths are resolved in as if it were "/": links and
// ".." of the tree stay inside it, and magic links of a procfs are refused.
type Root struct{ Dir *os.File }

// Resolve is the restriction that keeps a path inside a Root, for openat2.
const Resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// Open opens p, following links inside the root.
func (r Root) Open(p string, flags int, perm uint32) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: Resolve}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(perm)
	}
	for {
		fd, err := unix.Openat2(int(r.Dir.Fd()), p, &how)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), p), nil
		case unix.EINTR, unix.EAGAIN: // EAGAIN: a rename raced with ".."
			continue
		}
		return nil, &os.PathError{Op: "open", Path: p, Err: err}
	}
}

// Stat says what p leads to.
func (r Root) Stat(p string) (unix.Stat_t, error) {
	var st unix.Stat_t
	f, err := r.Open(p, unix.O_PATH, 0)
	if err != nil {
		return st, err
	}
	defer f.Close()
	err = unix.Fstat(int(f.Fd()), &st)
	return st, err
}

// ReadFile reads a regular file of at most limit bytes; what is beyond is cut.
func (r Root) ReadFile(p string, limit int64) ([]byte, error) {
	f, err := r.Open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: p, Err: errors.New("not a regular file")}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// maxLinks is the number of links Canonical follows, as the kernel does.
const maxLinks = 40

// Canonical returns p without links and dots, as an absolute path in the root.
// Components that do not exist are taken as written; a link that leads to
// nothing leads to where something can be created. Links of a tree that
// changes meanwhile make the answer stale, never unsafe: open it through Root.
func (r Root) Canonical(p string) (string, error) {
	todo := strings.Split(p, "/")
	at := "/"
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		target, err := r.readlink(next)
		if err != nil {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &os.PathError{Op: "resolve", Path: p, Err: unix.ELOOP}
		}
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}

func (r Root) readlink(p string) (string, error) {
	f, err := r.Open(p, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b [unix.PathMax]byte
	n, err := unix.Readlinkat(int(f.Fd()), "", b[:])
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}
