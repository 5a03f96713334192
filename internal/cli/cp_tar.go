package cli

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// isDirectory asks for a path's archive and looks at its first entry.
func (a *App) isDirectory(ctx context.Context, id, p string) bool {
	body, err := a.api().ReadFiles(ctx, id, p)
	if err != nil {
		return false
	}
	defer body.Close()
	h, err := tar.NewReader(body).Next()
	return err == nil && h.Typeflag == tar.TypeDir
}

// pack writes source as a tar in which it is called name.
func pack(w io.Writer, source, name string) error {
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

// unpack writes a tar into dir, never outside it. The first component of every
// entry is replaced by name, unless that is "".
func unpack(r io.Reader, dir, name string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return api.Invalid("path", "%s: %s", dir, reason(err))
	}
	defer root.Close()
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return api.Errorf(api.CodeUnavailable, "the daemon sent an empty archive")
			}
			return nil
		}
		if err != nil {
			return err
		}
		entry := path.Clean("/" + h.Name)[1:]
		if name != "" {
			_, rest, _ := strings.Cut(entry, "/")
			entry = path.Join(name, rest)
		}
		if entry == "" || entry == "." {
			continue
		}
		if err := unpackEntry(root, h, entry, t); err != nil {
			return fmt.Errorf("%s: %w", entry, err)
		}
	}
}

func unpackEntry(root *os.Root, h *tar.Header, entry string, body io.Reader) error {
	mode := h.FileInfo().Mode().Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(entry, mode|0o700); err != nil {
			return err
		}
		return root.Chmod(entry, mode)
	case tar.TypeReg:
		_ = root.Remove(entry) // replace a link rather than write through it
		f, err := root.OpenFile(entry, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, body)
		return errors.Join(err, f.Chmod(mode), f.Close())
	case tar.TypeSymlink:
		_ = root.Remove(entry)
		return root.Symlink(h.Linkname, entry)
	}
	return nil // devices, sockets and hard links are not brought here
}
