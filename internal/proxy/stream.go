package proxy

import (
	"errors"
	"net"
	"time"
)

// stream is a connection with what was read from it and not yet used.
type stream struct {
	net.Conn
	buf  []byte
	r, w int
	// silence is how long the other side may send nothing while a body is
	// read; 0 leaves the deadline to others.
	silence time.Duration
	// pace, or nil, is what a client's body is held to.
	pace  *pace
	until time.Time // what readWithin has set last; zero when somebody else has
	since time.Time // when it became idle; of a backend's
	wire  *wire     // of a backend's, or nil
}

const (
	firstBuffer = 4 << 10
	copyBuffer  = 32 << 10
	// spliceFrom is the size of the rest of a body from which on it is worth
	// having the kernel move it.
	spliceFrom = 64 << 10
	// splicePiece is moved at a time, so that each piece has its deadline.
	splicePiece = 256 << 10
	// maxScratch is how much of a session's own memory is worth keeping for the
	// next: heads with the largest piece of a body.
	maxScratch = 2 * copyBuffer
	// lateness is the part of a time limit that the limit may be late by, for
	// not being set anew each time.
	lateness = 16
)

func newStream(c net.Conn) *stream {
	s := &stream{Conn: c, buf: make([]byte, firstBuffer)}
	s.wire = newWire(s)
	return s
}

// readWithin gives the other side d to send something, or slightly more.
func (s *stream) readWithin(now time.Time, d time.Duration) {
	if has := s.until.Sub(now); has >= d && has <= d+d/lateness {
		return
	}
	s.until = now.Add(d + d/lateness)
	s.Conn.SetReadDeadline(s.until)
}

// SetReadDeadline is that of the connection.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.until = time.Time{}
	return s.Conn.SetReadDeadline(t)
}

// SetDeadline is that of the connection.
func (s *stream) SetDeadline(t time.Time) error {
	s.until = time.Time{}
	return s.Conn.SetDeadline(t)
}

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
		s.readWithin(time.Now(), s.silence)
	}
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
