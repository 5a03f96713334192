package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/internal/control/cost"
)

const (
	fileSize   = 16 << 20             // at which another file is begun
	keepExact  = 7 * 24 * time.Hour   // before records are folded
	exactSize  = 256 << 20            // of files that are not folded, in all
	keepFolded = 400 * 24 * time.Hour // before they are removed
	maxPending = 4 << 20              // bytes of lines that the disk did not take
)

// files are the ledger on disk. It is not safe for concurrent use.
type files struct {
	dir      string
	sequence int // of the newest
	began    time.Time
	f        *os.File
	size     int64
	dirty    bool
	pending  []byte // lines that the disk did not take yet
}

// openFiles opens the newest file and hands its lines to load.
func openFiles(dir string, now time.Time, load func(cost.Line)) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &files{dir: dir}
	all, err := s.list()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return s, s.begin(now, nil)
	}
	last := all[len(all)-1]
	if err := last.read(load); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(last.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	s.f, s.sequence, s.began, s.size = f, last.sequence, last.began, last.size
	end := []byte{'\n'}
	if s.size > 0 {
		if _, err := f.ReadAt(end, s.size-1); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if end[0] != '\n' {
		s.pending = []byte{'\n'} // a line was torn
	}
	return s, s.tidy(now)
}

// list returns the files, oldest first. Of one that was folded and not removed
// yet only the folded one counts.
func (s *files) list() ([]file, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var all []file
	for _, e := range entries {
		f, ok := parseName(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f.path, f.size = filepath.Join(s.dir, e.Name()), info.Size()
		if n := len(all); n > 0 && all[n-1].sequence == f.sequence {
			if f.folded {
				all[n-1] = f
			}
			continue
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b file) int { return a.sequence - b.sequence })
	for i := range all {
		all[i].ended = time.Unix(1<<40, 0)
		if i+1 < len(all) {
			all[i].ended = all[i+1].began
		}
	}
	return all, nil
}

// append writes lines in one piece. What the disk does not take is kept, within
// bounds, and written with the next ones.
func (s *files) append(lines []cost.Line) error {
	if len(lines) == 0 {
		return nil
	}
	b, err := encode(lines)
	if err != nil {
		return err
	}
	b = append(s.pending, b...)
	s.pending = nil
	n, err := s.f.Write(b)
	s.size += int64(n)
	s.dirty = true
	if err == nil {
		return nil
	}
	if rest := b[n:]; len(rest) <= maxPending {
		s.pending = slices.Clone(rest)
		return err
	}
	return fmt.Errorf("%w; %d bytes of it are lost", err, len(b)-n)
}

func (s *files) sync() error {
	if !s.dirty {
		return nil
	}
	s.dirty = false
	return s.f.Sync()
}

// rotate begins another file when it is time, and tidies the old ones up.
func (s *files) rotate(now time.Time, snapshot func() []cost.Line) error {
	if s.size < fileSize && now.UTC().Truncate(24*time.Hour).Equal(s.began.Truncate(24*time.Hour)) {
		return nil
	}
	if len(s.pending) > 0 {
		return nil // the disk is full
	}
	if err := s.begin(now, snapshot()); err != nil {
		return err
	}
	return s.tidy(now)
}

// begin goes on in a new file, which is on disk with its first lines.
func (s *files) begin(now time.Time, first []cost.Line) error {
	b, err := encode(first)
	if err != nil {
		return err
	}
	now = now.UTC().Truncate(time.Second)
	path := filepath.Join(s.dir, nameOf(s.sequence+1, now)+exactSuffix)
	f, err := replaceFile(path, b)
	if err != nil {
		return err
	}
	if s.f != nil {
		err = errors.Join(s.sync(), s.f.Close())
	}
	s.f, s.sequence, s.began, s.size = f, s.sequence+1, now, int64(len(b))
	return err
}

// tidy folds and removes old files.
func (s *files) tidy(now time.Time) error {
	all, err := s.list()
	if err != nil {
		return err
	}
	exact := int64(0)
	for _, f := range all {
		if !f.folded {
			exact += f.size
		}
	}
	for _, f := range all[:len(all)-1] { // never the newest
		switch {
		case f.folded && now.Sub(f.ended) > keepFolded:
			err = errors.Join(err, os.Remove(f.path))
		case !f.folded && (now.Sub(f.ended) > keepExact || exact > exactSize):
			exact -= f.size
			err = errors.Join(err, fold(f))
		}
		if f.folded { // a crash may have left what it was made of
			if e := os.Remove(strings.TrimSuffix(f.path, foldedSuffix) + exactSuffix); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

func (s *files) close() error {
	if s.f == nil {
		return nil
	}
	return errors.Join(s.sync(), s.f.Close())
}
