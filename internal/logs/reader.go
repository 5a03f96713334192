package logs

import (
	"bytes"
	"context"
	"io"
	"os"
	"time"
)

// Options choose records of a log. The zero value chooses none of what is
// there: Tail must be set.
type Options struct {
	Since, Until time.Time // zero is no limit
	// Tail is how many of the last lines to begin with, -1 all.
	Tail int
	// Follow waits for more at the end of the log, until Done is closed and
	// everything written before that was read.
	Follow bool
	Done   <-chan struct{}
}

// Reader reads a log, oldest record first. It is used by one goroutine.
type Reader struct {
	path string
	o    Options

	file  *os.File // being read, or nil
	info  os.FileInfo
	next  []*os.File // newer ones, opened already
	watch *watcher

	buf  []byte // read and not consumed: buf[at:]
	at   int
	eof  bool // the last read of file found nothing
	last bool // Done was closed before the last look at the log
	skip bool // in the middle of a record that is too long
}

// Open opens a log. One that is not there (yet) is empty.
func Open(path string, o Options) (*Reader, error) {
	r := &Reader{path: path, o: o}
	if o.Follow {
		r.watch = watch(path) // before the first look, so that nothing is missed
	}
	files, _, err := newerThan(path, nil)
	if err != nil {
		r.Close()
		return nil, err
	}
	r.next = files
	if err := r.seek(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// seek passes over what Tail and Since leave out.
func (r *Reader) seek() error {
	if r.o.Tail >= 0 {
		want := r.o.Tail
		for i := len(r.next) - 1; i >= 0; i-- {
			offset, have, err := tailStart(r.next[i], want)
			if err != nil {
				return err
			}
			if _, err := r.next[i].Seek(offset, io.SeekStart); err != nil {
				return err
			}
			if want -= have; want == 0 {
				closeFiles(r.next[:i])
				r.next = r.next[i:]
				break
			}
		}
	}
	// A file last written to before Since holds nothing of interest.
	for len(r.next) > 1 && !r.o.Since.IsZero() {
		info, err := r.next[0].Stat()
		if err != nil {
			return err
		}
		if !info.ModTime().Before(r.o.Since) {
			break
		}
		r.next[0].Close()
		r.next = r.next[1:]
	}
	return nil
}

// Next returns the next record, whose text is valid until the next call; io.EOF
// at the end of the log. Lines that are no records are passed over.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	for {
		line, err := r.line(ctx)
		if err != nil {
			return Record{}, err
		}
		rec, err := Parse(line)
		switch {
		case err != nil || rec.Time.Before(r.o.Since):
		case !r.o.Until.IsZero() && rec.Time.After(r.o.Until):
			return Record{}, io.EOF
		default:
			return rec, nil
		}
	}
}

// Close closes the log's files.
func (r *Reader) Close() error {
	closeFiles(r.next)
	r.next = nil
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
	if r.watch != nil {
		r.watch.close()
		r.watch = nil
	}
	return nil
}

// line returns the next line without its newline.
func (r *Reader) line(ctx context.Context) ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(r.buf[r.at+searched:], '\n'); i >= 0 {
			line := r.buf[r.at : r.at+searched+i]
			r.at += searched + i + 1
			searched = 0
			if r.skip {
				r.skip = false
				continue
			}
			return line, nil
		}
		searched = len(r.buf) - r.at
		if searched > maxRecord {
			r.buf, r.at, searched, r.skip = r.buf[:0], 0, 0, true
		}
		more, err := r.fill(ctx)
		if err != nil {
			return nil, err
		}
		if !more { // another file: what an earlier one left unfinished is no record
			searched = 0
		}
	}
}

// fill reads more of the current file into buf, or goes on to the next file
// when nothing can follow in this one, and says which of the two.
func (r *Reader) fill(ctx context.Context) (more bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if r.file != nil {
			n, err := r.read()
			if n > 0 || err != nil {
				r.eof = false
				return true, err
			}
		}
		if len(r.next) == 0 {
			if err := r.look(ctx); err != nil {
				return false, err
			}
			continue
		}
		// A successor is there, so the file has been written to for the last
		// time: but perhaps after it was read.
		if r.file != nil && !r.eof {
			r.eof = true
			continue
		}
		return false, r.advance()
	}
}

func (r *Reader) read() (int, error) {
	if r.at > 0 {
		r.buf = r.buf[:copy(r.buf, r.buf[r.at:])]
		r.at = 0
	}
	const chunk = 32 << 10
	if cap(r.buf)-len(r.buf) < chunk {
		r.buf = append(make([]byte, 0, 2*len(r.buf)+chunk), r.buf...)
	}
	n, err := r.file.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (r *Reader) advance() (err error) {
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.next = r.next[0], r.next[1:]
	r.buf, r.at, r.eof, r.skip = r.buf[:0], 0, false, false
	r.info, err = r.file.Stat()
	return err
}

// look waits at the end of what is there until there is more, in this file or
// in a newer one.
func (r *Reader) look(ctx context.Context) error {
	if !r.o.Follow || r.last {
		return io.EOF
	}
	select {
	case <-r.o.Done:
		r.last = true
	default:
		if r.eof { // nothing was there at the look before this one either
			r.watch.wait(ctx, r.o.Done)
		}
	}
	files, err := r.newer()
	if err != nil {
		return err
	}
	r.next = files
	// The file is read once more: before waiting, and after a successor came.
	r.eof = len(files) == 0
	return nil
}

// newer opens what has come after the current file.
func (r *Reader) newer() ([]*os.File, error) {
	const tries = 3
	for try := 1; ; try++ {
		files, found, err := newerThan(r.path, r.info)
		if err != nil || found || r.info == nil {
			return files, err
		}
		// It was deleted as the oldest one, or taken away by somebody: what is
		// there is all newer. Or it was missed while the files moved up.
		if info, err := r.file.Stat(); err != nil || deleted(info) || try == tries {
			return files, err
		}
		closeFiles(files)
	}
}
