package proxy

import "io"

// copyChunks moves a chunked body, as it is or, with unchunk, as plain bytes.
// Trailers are read and left out. One with more than limit bytes of data is
// refused; 0 has no limit.
func copyChunks(dst io.Writer, src *stream, unchunk bool, limit int64) error {
	c := chunker{limit: limit}
	var line []byte // what is there of a size line that is not whole yet
	for {
		b := src.buffered()
		used, sent := 0, 0 // of b: taken from the source, and to be sent on
		for used < len(b) && c.state < trailer {
			n, plain, err := c.scan(b[used:])
			if err != nil {
				return err
			}
			if unchunk {
				if _, err := dst.Write(plain.of(b[used:])); err != nil {
					return err
				}
			}
			used += n
			if c.state == data || c.state == dataCR || c.state == dataLF || c.state == size && c.digits == 0 {
				sent = used
			}
		}
		if sent > 0 && !unchunk {
			out := b[:sent]
			if len(line) > 0 {
				out = append(line, out...)
				line = nil
			}
			if _, err := dst.Write(out); err != nil {
				return err
			}
		}
		if c.state < trailer {
			line = append(line, b[sent:used]...)
		}
		for used < len(b) && c.state != finished {
			n, _, err := c.scan(b[used:])
			if err != nil {
				return err
			}
			used += n
		}
		src.r += used
		if c.state == finished {
			if unchunk {
				return nil
			}
			_, err := dst.Write([]byte("0\r\n\r\n"))
			return err
		}
		if err := src.fill(copyBuffer); err != nil {
			return bodyError(err)
		}
	}
}

// chunker follows the framing of a chunked body.
type chunker struct {
	state  chunkState
	left   int64 // of the chunk's data
	digits int   // of the size that were read
	line   int   // bytes of extensions or of trailers
	limit  int64 // of the whole body's data; 0 has none
	total  int64 // of the chunks that began
}

type chunkState uint8

const (
	size chunkState = iota
	extension
	sizeLF
	data
	dataCR
	dataLF
	trailer    // at the beginning of a line
	trailerEnd // at the LF of the empty line
	trailerLine
	finished
)

const (
	maxExtension = 1 << 10
	maxTrailers  = 8 << 10
)

// scan consumes part of b: at most one size line, one piece of data or one
// stretch of trailers, so that a caller may treat each differently. It returns
// how many bytes it took and which of them are data.
func (c *chunker) scan(b []byte) (n int, plain span, err error) {
	for n < len(b) {
		ch := b[n]
		switch c.state {
		case size:
			v := unhex(ch)
			switch {
			case v >= 0:
				if c.digits++; c.digits > 15 {
					return n, plain, bad("a chunk is too large")
				}
				c.left = c.left<<4 | int64(v)
			case c.digits == 0:
				return n, plain, bad("a chunk has no size")
			case ch == '\r':
				c.state = sizeLF
			case ch == ';' || ch == ' ' || ch == '\t':
				c.state = extension
			default:
				return n, plain, bad("a chunk's size is no number")
			}
			n++
		case extension:
			if c.line++; c.line > maxExtension || ch == '\n' {
				return n, plain, bad("a chunk's extension is malformed or too long")
			}
			if ch == '\r' {
				c.state = sizeLF
			}
			n++
		case sizeLF:
			if ch != '\n' {
				return n, plain, bad("a chunk's size does not end in CRLF")
			}
			n++
			c.digits, c.line = 0, 0
			c.state = data
			if c.total += c.left; c.limit > 0 && c.total > c.limit {
				return n, plain, tooLarge(c.limit)
			}
			if c.left == 0 {
				c.state = trailer
			}
			return n, plain, nil
		case data:
			take := int(min(int64(len(b)-n), c.left))
			plain = span{n, n + take}
			n += take
			c.left -= int64(take)
			if c.left > 0 {
				return n, plain, nil
			}
			c.state = dataCR
		case dataCR, dataLF:
			want := byte('\r')
			if c.state == dataLF {
				want = '\n'
			}
			if ch != want {
				return n, plain, bad("a chunk does not end in CRLF")
			}
			n++
			if c.state == dataCR {
				c.state = dataLF
				continue
			}
			c.state = size
			return n, plain, nil
		case trailer, trailerLine, trailerEnd:
			if c.line++; c.line > maxTrailers {
				return n, plain, bad("the trailers are too long")
			}
			n++
			switch {
			case c.state == trailerEnd && ch == '\n':
				c.state = finished
				return n, plain, nil
			case c.state == trailerEnd:
				return n, plain, bad("the body does not end in CRLF")
			case c.state == trailer && ch == '\r':
				c.state = trailerEnd
			case ch == '\n':
				c.state = trailer
			default:
				c.state = trailerLine
			}
		case finished:
			return n, plain, nil
		}
	}
	return n, plain, nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
