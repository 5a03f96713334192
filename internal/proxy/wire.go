package proxy

import (
	"io"
	"net"
	"syscall"

	"github.com/virga-cloud/virga/internal/linux/socket"
)

// wire sends requests to a backend that go out in one write, and takes the
// first of what comes back.
type wire struct {
	stream *stream
	raw    syscall.RawConn
	try    func(fd uintptr) bool
	out    []byte // what is left to send
	sent   bool   // all that there was room for
	err    error
}

// newWire makes one for a stream, or nil where that is not a TCP connection.
func newWire(s *stream) *wire {
	c, ok := s.Conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	w := &wire{stream: s, raw: raw}
	w.try = w.exchange
	return w
}

// ask sends out, and waits for the first of what comes back. The buffer must
// be empty.
func (s *stream) ask(out []byte) error {
	w := s.wire
	if w == nil {
		_, err := s.Conn.Write(out)
		return err
	}
	s.r, s.w = 0, 0
	w.out, w.sent, w.err = out, false, nil
	err := w.raw.Read(w.try)
	if err == nil {
		err = w.err
	}
	rest := w.out
	w.out = nil
	if err == nil && len(rest) > 0 {
		_, err = s.Conn.Write(rest)
	}
	return err
}

// exchange is called to begin with, and when there may be something to read. It
// says whether that ends the wait.
func (w *wire) exchange(fd uintptr) bool {
	if !w.sent {
		n, err := socket.Send(fd, w.out)
		w.out, w.sent, w.err = w.out[n:], true, err
		if err != nil || len(w.out) > 0 {
			return true
		}
	}
	n, err := socket.Receive(fd, w.stream.buf)
	if err == syscall.EAGAIN {
		return false
	}
	w.stream.w = n
	if err == nil && n == 0 {
		err = io.EOF
	}
	w.err = err
	return true
}
