package container

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/tree"
)

// archive writes name of dir, with everything below it, as a tar. Owners are
// the instance's.
func archive(ctx context.Context, dir *os.Root, name string, ids uint32, w io.Writer) error {
	tw := tar.NewWriter(w)
	add := func(p string, info fs.FileInfo) (err error) {
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = dir.Readlink(p); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		h.Name, h.Uname, h.Gname, h.Format = p, "", "", tar.FormatPAX
		h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
		h.Uid, h.Gid = h.Uid-min(h.Uid, int(ids)), h.Gid-min(h.Gid, int(ids))
		if info.IsDir() {
			h.Name += "/"
		}
		if err := tw.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		return copyFile(tw, dir, p, h.Size)
	}
	top, err := dir.Lstat(name)
	switch {
	case err != nil:
	case top.Mode()&fs.ModeSymlink != 0:
		err = add(name, top) // WalkDir would look at what the link leads to
	default:
		err = fs.WalkDir(dir.FS(), name, func(p string, _ fs.DirEntry, err error) error {
			if err := errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			info, err := dir.Lstat(p)
			if err != nil || info.Mode()&fs.ModeSocket != 0 {
				return err
			}
			return add(p, info)
		})
	}
	if err != nil {
		return err // without an end that would make it look whole, or an answer where there is none
	}
	return tw.Close()
}

// copyFile writes exactly size bytes, whatever the file grows or shrinks to
// meanwhile.
func copyFile(w io.Writer, dir *os.Root, name string, size int64) error {
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyN(w, f, size)
	if errors.Is(err, io.EOF) {
		_, err = io.CopyN(w, zeros{}, size-n)
	}
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// extract unpacks a tar into dir. No entry can lead out of it.
func extract(ctx context.Context, dir string, ids uint32, r io.Reader) (err error) {
	t, err := tree.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t.Finish()
		}
		if err != nil {
			return api.Invalid("body", "not a tar archive: %v", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		h.Name = path.Clean(h.Name) // directories end in a slash
		if err := entry(t, h, ids, tr); err != nil {
			return err
		}
	}
}

func entry(t *tree.Tree, h *tar.Header, ids uint32, r io.Reader) (err error) {
	m := tree.Meta{UID: h.Uid + int(ids), GID: h.Gid + int(ids), Mode: uint32(h.Mode & 0o7777), ModTime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeDir:
		err = t.Dir(h.Name, m)
	case tar.TypeReg:
		_, err = t.File(h.Name, m, r)
	case tar.TypeSymlink:
		err = t.Symlink(h.Name, h.Linkname, m)
	case tar.TypeLink:
		err = t.Link(h.Name, h.Linkname)
	case tar.TypeFifo:
		err = t.Fifo(h.Name, m)
	case tar.TypeXGlobalHeader:
	default:
		return api.Invalid("body", "the archive's entry %q is of a kind (%q) that is not copied into an instance", h.Name, h.Typeflag)
	}
	if errors.Is(err, tree.ErrName) {
		return api.Invalid("body", "the archive's entry %q is not a name inside the directory", h.Name)
	}
	return err
}
