package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// Conn is a route netlink socket in one network namespace. It is safe for
// concurrent use; requests of different callers are not mixed.
type Conn struct {
	mu  sync.Mutex
	fd  int    // +checklocks:mu
	seq uint32 // +checklocks:mu
	buf []byte // +checklocks:mu
}

// Request is one change or question.
type Request struct {
	op  string // for errors, such as "add address 10.0.0.2/16"
	msg *nl.NetlinkRequest
	// done lists errnos that count as success, for requests that are
	// idempotent.
	done []unix.Errno
}

// buffers are shared: a socket inside a new namespace lives for a moment.
var buffers = sync.Pool{New: func() any { return make([]byte, 64<<10) }}

// Open makes a socket in the network namespace ns; nil is the caller's own.
func Open(ns *os.File) (*Conn, error) {
	c := &Conn{buf: buffers.Get().([]byte)}
	err := namespace.In(ns, func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open netlink socket: %w", err)
		}
		c.fd = fd
		return nil
	})
	if err != nil {
		return nil, err
	}
	// The kernel answers within the send; the timeout only keeps a lost
	// answer from blocking a thread for ever.
	tv := unix.Timeval{Sec: 10}
	if err := errors.Join(
		unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv),
		unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	); err != nil {
		unix.Close(c.fd)
		return nil, fmt.Errorf("set up netlink socket: %w", err)
	}
	return c, nil
}

// Close closes the socket.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buf != nil {
		//lint:ignore SA6002 the header that this allocates is little beside the buffer
		buffers.Put(c.buf[:cap(c.buf)])
		c.buf = nil
	}
	return unix.Close(c.fd)
}

// Do sends the requests in one batch; the kernel runs all of them in order
// whatever becomes of the others. It returns the first error.
func (c *Conn) Do(reqs ...Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.seq + 1
	out := c.buf[:0]
	for _, r := range reqs {
		c.seq++
		r.msg.Seq = c.seq
		r.msg.Flags |= unix.NLM_F_REQUEST | unix.NLM_F_ACK
		out = append(out, r.msg.Serialize()...)
	}
	if err := c.send(out); err != nil {
		return fmt.Errorf("%s: send: %w", reqs[0].op, err)
	}
	var result error
	for left := len(reqs); left > 0; {
		b, err := c.receive()
		if err != nil {
			return fmt.Errorf("%s: receive: %w", reqs[len(reqs)-left].op, err)
		}
		for h, body := range messages(b) {
			i := int(h.Seq - first)
			if h.Type != unix.NLMSG_ERROR || i < 0 || i >= len(reqs) || len(body) < 4 {
				continue
			}
			left--
			if err := reqs[i].result(body); err != nil && result == nil {
				result = err
			}
		}
	}
	return result
}

// result reads an acknowledgement.
func (r Request) result(body []byte) error {
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
	if errno == 0 {
		return nil
	}
	for _, e := range r.done {
		if e == errno {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", r.op, errno)
}

// dump sends one question and calls f with the body of every answer.
func (c *Conn) dump(r Request, f func(typ uint16, body []byte)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	r.msg.Seq = c.seq
	r.msg.Flags |= unix.NLM_F_REQUEST
	if err := c.send(r.msg.Serialize()); err != nil {
		return fmt.Errorf("%s: send: %w", r.op, err)
	}
	for {
		b, err := c.receive()
		if err != nil {
			return fmt.Errorf("%s: receive: %w", r.op, err)
		}
		for h, body := range messages(b) {
			if h.Seq != c.seq {
				continue
			}
			switch h.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return r.result(body)
			}
			f(h.Type, body)
			if h.Flags&unix.NLM_F_MULTI == 0 {
				return nil
			}
		}
	}
}

func (c *Conn) send(b []byte) error {
	for {
		err := unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return err
		}
	}
}

func (c *Conn) receive() ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(c.fd, c.buf[:cap(c.buf)], 0)
		if err != unix.EINTR {
			return c.buf[:max(n, 0)], err
		}
	}
}
