package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Config describes a log to write.
type Config struct {
	Path string
	// Size is the size in bytes at which a file is rotated; 0 is never.
	Size int64
	// Files is how many files are kept, the current one included; 0 is 1.
	Files int
}

// Writer appends output to a log. Its methods may be called concurrently.
type Writer struct {
	c Config

	mu   sync.Mutex
	f    *os.File
	size int64
	// line holds what has come of each stream's current line.
	line [Stderr + 1][]byte
	buf  []byte
}

// batch is how many bytes are gathered for one write to the file.
const batch = 64 << 10

// keptBuffer bounds what a Writer that is idle holds.
const keptBuffer = 1 << 10

// NewWriter opens the log for appending and makes it when it is not there. A
// record that an earlier writer left unfinished is ended.
func NewWriter(c Config) (*Writer, error) {
	f, size, err := openCurrent(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", c.Path, err)
	}
	return &Writer{c: c, f: f, size: size}, nil
}

func openCurrent(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	size := info.Size()
	if last := []byte{'\n'}; size > 0 {
		if _, err = f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'})
			size++
		}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// Write logs the whole lines of p, which came at time t, and keeps what
// follows the last newline for later. Records that cannot be written, because
// the disk is full, are dropped whole, and the error says so; later ones are
// tried again.
func (w *Writer) Write(s Stream, t time.Time, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs error
	for {
		text, rest, whole := bytes.Cut(p, newline)
		if !whole {
			break
		}
		errs = errors.Join(errs, w.end(s, t, text))
		p = rest
	}
	errs = errors.Join(errs, w.collect(s, t, p))
	return errors.Join(errs, w.flush())
}

// Flush logs what has come of the current line of s.
func (w *Writer) Flush(s Stream, t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line[s]) == 0 {
		return nil
	}
	err := w.end(s, t, nil)
	return errors.Join(err, w.flush())
}

// Close closes the file. What was not flushed is lost.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.f.Close()
}

// end completes the current line of s with text.
func (w *Writer) end(s Stream, t time.Time, text []byte) error {
	var err error
	if len(w.line[s]) > 0 || len(text) > MaxText {
		err = w.collect(s, t, text)
		text, w.line[s] = w.line[s], nil
	}
	r := Record{Time: t, Stream: s, Text: text}
	w.buf = r.Append(w.buf)
	if len(w.buf) >= batch {
		err = errors.Join(err, w.flush())
	}
	return err
}

// collect adds text to the current line of s, and logs the line's beginning
// when more than MaxText of it has come.
func (w *Writer) collect(s Stream, t time.Time, text []byte) (err error) {
	for len(w.line[s])+len(text) > MaxText {
		n := MaxText - len(w.line[s])
		r := Record{Time: t, Stream: s, Partial: true, Text: append(w.line[s], text[:n]...)}
		w.buf = r.Append(w.buf)
		w.line[s], text = nil, text[n:]
		if len(w.buf) >= batch {
			err = errors.Join(err, w.flush())
		}
	}
	if len(text) > 0 {
		w.line[s] = append(w.line[s], text...)
	}
	return err
}

// flush writes the gathered records with one write, into a new file when they
// do not fit into this one.
func (w *Writer) flush() error {
	b := w.buf
	w.buf = b[:0]
	if cap(b) > keptBuffer {
		w.buf = nil
	}
	if len(b) == 0 {
		return nil
	}
	var rotate error
	if w.c.Size > 0 && w.size > 0 && w.size+int64(len(b)) > w.c.Size {
		rotate = w.rotate()
	}
	n, err := w.f.Write(b)
	if err != nil && n > 0 {
		// A record must not be left in pieces.
		if w.f.Truncate(w.size) == nil {
			n = 0
		}
	}
	w.size += int64(n)
	return errors.Join(rotate, err)
}

// rotate moves every file up by one and starts a new one. The new file is made
// before anything is renamed, so that a full disk leaves the log as it was.
func (w *Writer) rotate() error {
	fresh := w.c.Path + ".new"
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	for i := max(w.c.Files, 1) - 1; i > 0; i-- {
		if err := os.Rename(rotated(w.c.Path, i-1), rotated(w.c.Path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.Close()
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	if err := os.Rename(fresh, w.c.Path); err != nil {
		f.Close()
		return fmt.Errorf("rotate log: %w", err)
	}
	w.f.Close()
	w.f, w.size = f, 0
	return nil
}

// rotated is the path of the i-th file of a log, 0 for the current one.
func rotated(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

var newline = []byte{'\n'}
