package api

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// exactReader reads a body of known length; a stream that ends before is
// broken.
type exactReader struct {
	r    io.Reader
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if e.left > 0 {
		return n, unexpectedEOF(err)
	}
	return n, nil
}

// chunkReader reads a body in the chunked transfer coding.
type chunkReader struct {
	r    *bufio.Reader
	left int64 // bytes of the current chunk
	open bool  // a chunk was begun, so its CRLF follows
	err  error
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil {
		c.err = unexpectedEOF(err)
	}
	return n, c.err
}

// next reads the size line of a chunk; after the last one the trailer.
func (c *chunkReader) next() error {
	if c.open {
		if s, err := c.line(); err != nil || s != "" {
			return errors.Join(errHTTP, err)
		}
	}
	s, err := c.line()
	if err != nil {
		return err
	}
	s, _, _ = strings.Cut(s, ";")
	size, err := strconv.ParseUint(strings.TrimSpace(s), 16, 63)
	if err != nil {
		return errHTTP
	}
	c.left, c.open = int64(size), true
	if size > 0 {
		return nil
	}
	for n := 0; n < 100; n++ {
		if s, err = c.line(); err != nil {
			return err
		}
		if s == "" {
			return io.EOF
		}
	}
	return errHTTP
}

func (c *chunkReader) line() (string, error) {
	b, err := c.r.ReadSlice('\n')
	if err != nil {
		return "", unexpectedEOF(err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// writeChunks sends r in the chunked transfer coding.
func writeChunks(w io.Writer, r io.Reader) error {
	const room = 18 // of a size line, kept before the data so that one write sends both
	buf := make([]byte, room+128<<10+2)
	for {
		n, err := io.ReadAtLeast(r, buf[room:len(buf)-2], 1)
		if n > 0 {
			size := strconv.FormatInt(int64(n), 16) + "\r\n"
			start := room - len(size)
			copy(buf[start:], size)
			copy(buf[room+n:], "\r\n")
			if _, err := w.Write(buf[start : room+n+2]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			_, err = io.WriteString(w, "0\r\n\r\n")
			return err
		}
		if err != nil {
			return &bodyError{err}
		}
	}
}

// bodyError is an error of the caller's reader, not of the connection.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }
