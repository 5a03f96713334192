package volume

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/disk"
	"github.com/virga-cloud/virga/internal/linux/tree"
)

// Import makes the content of a volume that of a tar. A volume that is there
// already is replaced in one step; the caller holds a Claim on it, and stores
// its object after this when it is new. report gets the bytes unpacked.
func (s *Store) Import(ctx context.Context, v *api.Volume, r io.Reader, report func(int64)) error {
	if err := errors.Join(check(v.ID), s.makeDir()); err != nil {
		return err
	}
	return s.replace(v.ID, func(dir string) error {
		if err := s.fill(ctx, dir, v.Size); err != nil {
			return err
		}
		return disk.Within(dir, func() error { return s.unpack(ctx, dir, r, v.Size > 0, report) })
	})
}

// Export writes the files of a volume as a tar with owners, times, hard links
// and extended attributes; sockets and devices are left out. compress makes it
// zstd. A volume in use is read file by file.
func (s *Store) Export(ctx context.Context, v *api.Volume, compress bool, w io.Writer) error {
	if err := check(v.ID); err != nil {
		return err
	}
	done, err := s.read(v.ID, v.Name)
	if err != nil {
		return err
	}
	defer done()
	if err := s.fill(ctx, s.Path(v.ID), v.Size); err != nil {
		return err
	}
	if !compress {
		return export(ctx, s.Path(v.ID), w)
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	return errors.Join(export(ctx, s.Path(v.ID), z), z.Close())
}

// xattrRecord is how a tar keeps extended attributes, after star and GNU tar.
const xattrRecord = "SCHILY.xattr."

func export(ctx context.Context, dir string, w io.Writer) error {
	t := tar.NewWriter(w)
	err := tree.Walk(ctx, dir, func(e tree.Entry) error {
		h := &tar.Header{
			Name: "./" + e.Name, Uid: e.UID, Gid: e.GID, Mode: int64(e.Mode), ModTime: e.ModTime.Round(time.Microsecond),
			Format: tar.FormatPAX,
		}
		for _, k := range slices.Sorted(maps.Keys(e.Xattrs)) {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords[xattrRecord+k] = e.Xattrs[k]
		}
		switch {
		case e.Type == fs.ModeDir:
			h.Typeflag, h.Name = tar.TypeDir, "./"+strings.TrimPrefix(e.Name+"/", "./")
		case e.Type == fs.ModeSymlink:
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
		case e.Type == fs.ModeNamedPipe:
			h.Typeflag = tar.TypeFifo
		case e.Type != 0:
			return nil
		case e.Link != "":
			h.Typeflag, h.Linkname, h.PAXRecords = tar.TypeLink, "./"+e.Link, nil
		default:
			h.Typeflag, h.Size = tar.TypeReg, e.Size
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		// Exactly as much as was said, whatever the file grows or shrinks to.
		n, err := io.Copy(t, io.LimitReader(e.File, e.Size))
		if err == nil && n < e.Size {
			_, err = io.CopyN(t, zeros{}, e.Size-n)
		}
		return err
	})
	return errors.Join(err, t.Close())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
