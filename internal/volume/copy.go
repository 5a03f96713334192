package volume

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/disk"
	"github.com/virga-cloud/virga/internal/linux/tree"
)

// Copy makes the content of the volume from that of to. A volume that is there
// already is replaced in one step; the caller holds a Claim on to, and stores
// its object after this when it is new. report gets the bytes copied.
func (s *Store) Copy(ctx context.Context, to, from *api.Volume, report func(int64)) (api.CopyReport, error) {
	if err := errors.Join(check(to.ID), check(from.ID), s.makeDir()); err != nil {
		return api.CopyReport{}, err
	}
	done, err := s.read(from.ID, from.Name)
	if err != nil {
		return api.CopyReport{}, err
	}
	defer done()
	if to.Size > 0 && to.Size < from.Size {
		return api.CopyReport{}, api.Invalid("size", "volume %s has %s, and the content of one with %s is to go into it", to.Name,
			api.FormatBytes(to.Size), api.FormatBytes(from.Size)).WithHint("give it at least that size")
	}
	if err := s.fill(ctx, s.Path(from.ID), from.Size); err != nil { // a reboot may have unmounted it
		return api.CopyReport{}, err
	}
	var r api.CopyReport
	return r, s.replace(to.ID, func(dir string) (err error) {
		if to.Size > 0 && disk.Imaged(s.Path(from.ID)) {
			written := s.written(from.ID)
			r, err = s.disks.Clone(ctx, dir, s.Path(from.ID), to.Size, report)
			if !written {
				r.Consistency = api.ConsistencyIdle
			}
			return err
		}
		if err := s.fill(ctx, dir, to.Size); err != nil {
			return err
		}
		written := s.written(from.ID)
		err = disk.Within(dir, func() error { return copyTree(ctx, dir, s.Path(from.ID), &r, report) })
		r.Consistency = api.ConsistencyIdle
		if written || s.written(from.ID) {
			r.Consistency = api.ConsistencyFiles
		}
		return err
	})
}

// replace has make put together the next content of a volume in a directory,
// and puts it in the volume's place.
func (s *Store) replace(id string, make func(dir string) error) error {
	dir := s.newPath(id)
	if err := s.disks.Remove(dir); err != nil { // of a daemon that was killed
		return err
	}
	err := make(dir)
	if err == nil {
		if exists(s.Path(id)) {
			err = s.disks.Replace(dir, s.Path(id))
		} else {
			err = s.disks.Rename(dir, s.Path(id))
		}
	}
	if err != nil {
		return errors.Join(err, s.disks.Remove(dir))
	}
	return nil
}

// copyTree copies files with owners, modes, times, extended attributes, hard
// links and holes.
func copyTree(ctx context.Context, to, from string, r *api.CopyReport, report func(int64)) (err error) {
	t, err := tree.Open(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	shared, copied, total := 0, 0, int64(0)
	err = tree.Walk(ctx, from, func(e tree.Entry) error {
		switch {
		case e.Type == fs.ModeDir:
			return t.Dir(e.Name, e.Meta)
		case e.Type == fs.ModeSymlink:
			return t.Symlink(e.Name, e.Link, e.Meta)
		case e.Type == fs.ModeNamedPipe:
			return t.Fifo(e.Name, e.Meta)
		case e.Type != 0:
			r.Skipped++
			return nil
		case e.Link != "":
			return t.Link(e.Name, e.Link)
		}
		before := total
		was, err := t.Copy(ctx, e.Name, e.Meta, e.File, e.Size, func(n int64) {
			total = before + n
			if report != nil {
				report(total)
			}
		})
		if was {
			shared++
		} else if e.Size > 0 {
			copied++
		}
		return err
	})
	r.Method = api.CopyData
	if shared > 0 && copied == 0 {
		r.Method = api.CopyReflink
	}
	return errors.Join(err, t.Finish())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
