package cli

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// pack writes source as a tar in which it is called name. Its files belong to
// root there, or with owners to whom they belong here.
func pack(w io.Writer, source, name string, owners bool) error {
	t := tar.NewWriter(w)
	root := filepath.Clean(source)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(file); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err) // a socket cannot be archived
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		h.Name = path.Join(name, filepath.ToSlash(rel))
		if d.IsDir() {
			h.Name += "/"
		}
		h.Uname, h.Gname = "", "" // names of this machine mean nothing there
		if !owners {
			h.Uid, h.Gid = 0, 0
		}
		if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(t, f)
		return err
	})
	return errors.Join(err, t.Close())
}

// unpacking writes a tar into dir, never outside it.
type unpacking struct {
	dir string
	// name replaces the first component of every entry, unless it is "".
	name string
	// owners keeps the user and group of each file, which takes root.
	owners bool

	root *os.Root
	// dirs are the directories made. What is put into them changes their time
	// and may not be allowed by their mode, so both are set at the end.
	dirs []madeDir
}

type madeDir struct {
	path string
	mode fs.FileMode
	time time.Time
}

func (u *unpacking) unpack(r io.Reader) (err error) {
	if u.root, err = os.OpenRoot(u.dir); err != nil {
		return api.Invalid("path", "%s: %s", u.dir, reason(err))
	}
	defer u.root.Close()
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return api.Errorf(api.CodeUnavailable, "the daemon sent an empty archive")
			}
			return u.finish()
		}
		if err != nil {
			return err
		}
		if entry := u.place(h.Name); entry != "" && entry != "." {
			if err := u.entry(h, entry, t); err != nil {
				return fmt.Errorf("%s: %w", entry, err)
			}
		}
	}
}

// place is where in dir an entry of the tar goes.
func (u *unpacking) place(name string) string {
	entry := path.Clean("/" + name)[1:]
	if u.name == "" {
		return entry
	}
	_, rest, _ := strings.Cut(entry, "/")
	return path.Join(u.name, rest)
}

func (u *unpacking) entry(h *tar.Header, entry string, body io.Reader) error {
	mode := h.FileInfo().Mode().Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.MkdirAll(entry, mode|0o700); err != nil {
			return err
		}
		u.dirs = append(u.dirs, madeDir{entry, mode, h.ModTime})
		return u.own(h, entry)
	case tar.TypeReg:
		_ = u.root.Remove(entry) // replace a link rather than write through it
		f, err := u.root.OpenFile(entry, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, body)
		if err := errors.Join(err, u.own(h, entry), f.Chmod(mode), f.Close()); err != nil {
			return err
		}
		return u.root.Chtimes(entry, h.ModTime, h.ModTime)
	case tar.TypeSymlink:
		_ = u.root.Remove(entry)
		return errors.Join(u.root.Symlink(h.Linkname, entry), u.own(h, entry))
	case tar.TypeLink:
		_ = u.root.Remove(entry)
		return u.root.Link(u.place(h.Linkname), entry)
	}
	return nil // devices and sockets are not brought here
}

// own gives an entry its owner, where owners are kept. It goes before the mode:
// changing an owner takes set-user-id away.
func (u *unpacking) own(h *tar.Header, entry string) error {
	if !u.owners {
		return nil
	}
	err := u.root.Lchown(entry, h.Uid, h.Gid)
	if errors.Is(err, fs.ErrPermission) {
		return api.Errorf(api.CodeForbidden, "%s cannot be given to user %d, group %d", entry, h.Uid, h.Gid).WithHint("leave out -a, or be root")
	}
	return err
}

// finish gives directories their modes and times, the innermost first.
func (u *unpacking) finish() error {
	for _, d := range slices.Backward(u.dirs) {
		if err := errors.Join(u.root.Chmod(d.path, d.mode), u.root.Chtimes(d.path, d.time, d.time)); err != nil {
			return fmt.Errorf("%s: %w", d.path, err)
		}
	}
	return nil
}
