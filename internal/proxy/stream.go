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
