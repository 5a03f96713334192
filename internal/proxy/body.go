package proxy

import (
	"errors"
	"io"
	"net"
	"time"
)

// framing is how the end of a body is known.
type framing uint8

const (
	none     framing = iota // there is no body
	counted                 // Content-Length
	chunks                  // Transfer-Encoding: chunked
	untilEOF                // the end of the connection
)

// requestFraming is that of a request's body.
func (h *head) requestFraming() framing {
	switch {
	case h.chunked:
		return chunks
	case h.length > 0:
		return counted
	}
	return none
}

// responseFraming is that of the answer to a request of that method.
func (h *head) responseFraming(method []byte, status int) framing {
	switch {
	case status < 200, status == 204, status == 304, string(method) == "HEAD":
		return none
	case h.chunked:
		return chunks
	case h.length == 0:
		return none
	case h.length > 0:
		return counted
	}
	return untilEOF
}

// stream is a connection with what was read from it and not yet used.
type stream struct {
	net.Conn
	buf  []byte
	r, w int
	// silence is how long the other side may send nothing while a body is
	// read; 0 leaves the deadline to others.
	silence time.Duration
	// pace, or nil, is what a client's body is held to.
	pace *pace
}

const (
	firstBuffer = 4 << 10
	copyBuffer  = 32 << 10
	// spliceFrom is the size of the rest of a body from which on it is worth
	// having the kernel move it.
	spliceFrom = 64 << 10
	// splicePiece is moved at a time, so that each piece has its deadline.
	splicePiece = 256 << 10
)

func newStream(c net.Conn) *stream { return &stream{Conn: c, buf: make([]byte, firstBuffer)} }

func (s *stream) buffered() []byte { return s.buf[s.r:s.w] }

// fill reads more. When the buffer is full it grows up to limit, and at the
// limit errFull comes back.
func (s *stream) fill(limit int) error {
	if s.r == s.w {
		s.r, s.w = 0, 0
	}
	if s.w == len(s.buf) {
		switch {
		case s.r > 0:
			s.w = copy(s.buf, s.buf[s.r:s.w])
			s.r = 0
		case len(s.buf) >= limit:
			return errFull
		default:
			grown := make([]byte, min(2*len(s.buf), limit))
			copy(grown, s.buf[:s.w])
			s.buf = grown
		}
	}
	s.extend()
	n, err := s.Conn.Read(s.buf[s.w:])
	s.w += n
	if s.pace != nil {
		s.pace.came(int64(n), time.Now())
	}
	if n > 0 {
		return nil
	}
	return err
}

// extend gives the other side time for the next read of a body.
func (s *stream) extend() {
	switch {
	case s.pace != nil:
		s.SetReadDeadline(s.pace.deadline(time.Now()))
	case s.silence > 0:
		s.SetReadDeadline(time.Now().Add(s.silence))
	}
}

const (
	// A client's body must have come at paceRate bytes a second on average
	// after the first paceGrace, and never stand still for paceStop. The rate is
	// that of Kestrel, the server of ASP.NET: slower than any real link.
	paceRate  = 240
	paceGrace = 10 * time.Second
	paceStop  = time.Minute
)

// pace says how slow a client's body may be. Only the time that was waited for
// the client counts, not what the backend took.
type pace struct {
	waited time.Duration
	asked  time.Time // when the wait began
	got    int64     // bytes
}

// deadline begins a wait and says when the next bytes must have come.
func (p *pace) deadline(now time.Time) time.Time {
	p.asked = now
	left := paceGrace + time.Duration(min(p.got, 1<<40)/paceRate)*time.Second - p.waited
	return now.Add(min(left, paceStop))
}

// came ends a wait.
func (p *pace) came(n int64, now time.Time) {
	p.got += n
	p.waited += now.Sub(p.asked)
}

var errFull = errors.New("the buffer is full")

// readHead reads until a whole head is buffered and returns it. It stays
// valid until the next fill.
func (s *stream) readHead() ([]byte, error) {
	for seen := 0; ; {
		if n := headEnd(s.buffered(), seen); n > 0 {
			h := s.buffered()[:n]
			s.r += n
			return h, nil
		}
		seen = s.w - s.r
		if err := s.fill(maxHead); err != nil {
			if err == errFull {
				return nil, &malformed{431, "the head is larger than 32 KiB"}
			}
			return nil, err
		}
	}
}

// errBody is a body whose source broke off or was malformed; what had been
// copied cannot be taken back. errSlow is one that came too slowly.
var (
	errBody = errors.New("the body ended early")
	errSlow = errors.New("the body took too long")
)

// bodyError is what it means for a body that its source failed with err.
func bodyError(err error) error {
	if isTimeout(err) {
		return errSlow
	}
	return errBody
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// copyCounted moves n bytes of a body.
func copyCounted(dst io.Writer, src *stream, n int64) error {
	for n > 0 {
		if b := src.buffered(); len(b) > 0 {
			b = b[:min(int64(len(b)), n)]
			src.r += len(b)
			n -= int64(len(b))
			if _, err := dst.Write(b); err != nil {
				return err
			}
			continue
		}
		if n >= spliceFrom {
			src.extend()
			moved, err := io.CopyN(dst, src.Conn, min(n, splicePiece))
			n -= moved
			if src.pace != nil {
				src.pace.came(moved, time.Now())
			}
			switch {
			case err == io.EOF:
				return errBody
			case isTimeout(err):
				return errSlow
			case err != nil:
				return err // of either side
			}
			continue
		}
		if err := src.fill(copyBuffer); err != nil {
			return bodyError(err)
		}
	}
	return nil
}

// copyToEOF moves everything until the source closes.
func copyToEOF(dst io.Writer, src *stream) error {
	if b := src.buffered(); len(b) > 0 {
		src.r = src.w
		if _, err := dst.Write(b); err != nil {
			return err
		}
	}
	for {
		src.extend()
		n, err := io.CopyN(dst, src.Conn, splicePiece)
		if err == io.EOF {
			return nil
		}
		if err != nil && n == 0 {
			return err
		}
	}
}

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
