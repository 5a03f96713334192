package proxy

import (
	"io"
	"net"
	"syscall"

	"github.com/virga-cloud/virga/internal/linux/socket"
)

// waiter reads from a client's connection into memory that it takes only when
// there is something to read.
//
// Requests that come whole are served within the read, so that the poller's
// word is waited for as soon as the answer is sent. A read anew would have to
// look into the socket first, since it forgets what the poller has said before:
// a system call for each request, mostly for nothing.
type waiter struct {
	raw   syscall.RawConn
	try   func(fd uintptr) bool
	serve func(m *scratch, n int) next
	fd    uintptr // while serve is called, else 0
	next  next
	err   error
}

func newWaiter(c *net.TCPConn, serve func(m *scratch, n int) next) *waiter {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	_ = socket.TellRest(raw) // a kernel that cannot is asked twice
	w := &waiter{raw: raw, serve: serve}
	w.try = w.read
	return w
}

// wait blocks until something was read that is left, or the connection is over.
func (w *waiter) wait() (next, error) {
	if err := w.raw.Read(w.try); err != nil {
		return over, err
	}
	return w.next, w.err
}

// read is called when there may be something to read, and says whether that
// ends the wait.
func (w *waiter) read(fd uintptr) bool {
	for {
		m := scratches.Get().(*scratch)
		n, drained, err := m.inbox.Receive(fd, m.in)
		if n == 0 {
			scratches.Put(m)
			if err == syscall.EAGAIN {
				return false
			}
			if err == nil {
				err = io.EOF
			}
			w.next, w.err = over, err
			return true
		}
		w.fd = fd
		w.next, w.err = w.serve(m, n), nil
		w.fd = 0
		if w.next != silent {
			return true
		}
		if drained {
			return false
		}
	}
}

// send writes as much as there is room for while a request is served within a
// read; else nothing.
func (w *waiter) send(b []byte) (int, error) {
	if w.fd == 0 {
		return 0, nil
	}
	return socket.Send(w.fd, b)
}
