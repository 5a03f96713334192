package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// maxRights is how many descriptors one message takes.
const maxRights = 253

// Conn is one end of a connection. One goroutine may read while another
// writes. It uses no net package, which the supervisor would pay for in memory.
type Conn struct {
	f   *os.File
	raw syscall.RawConn

	files []int // received and not yet taken; of the reading goroutine
	oob   []byte
	recv  func(fd uintptr) bool
	into  []byte
	n     int
	err   error
}

// NewConn takes over a connected socket, which it makes non-blocking.
func NewConn(fd int) (*Conn, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "shim.sock")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	c := &Conn{f: f, raw: raw}
	c.recv = c.receive
	return c, nil
}

// Dial connects to the socket at path.
func Dial(path string) (*Conn, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("connect %s: %w", path, err)
	}
	return NewConn(fd)
}

// ExpectFiles makes the connection accept descriptors.
func (c *Conn) ExpectFiles() { c.oob = make([]byte, syscall.CmsgSpace(maxRights*4)) }

// Read implements io.Reader and keeps the descriptors that come along.
func (c *Conn) Read(p []byte) (int, error) {
	if c.oob == nil {
		return c.f.Read(p)
	}
	c.into = p
	if err := c.raw.Read(c.recv); err != nil {
		return 0, err
	}
	c.into = nil
	if c.err != nil {
		return 0, c.err
	}
	if c.n == 0 {
		return 0, io.EOF
	}
	return c.n, nil
}

func (c *Conn) receive(fd uintptr) bool {
	var noob int
	c.n, noob, _, _, c.err = syscall.Recvmsg(int(fd), c.into, c.oob, syscall.MSG_CMSG_CLOEXEC)
	if c.err == syscall.EAGAIN || c.err == syscall.EINTR {
		return c.err == syscall.EINTR && c.receive(fd)
	}
	if c.err != nil || noob == 0 {
		return true
	}
	messages, err := syscall.ParseSocketControlMessage(c.oob[:noob])
	if err != nil {
		c.err = err
		return true
	}
	for i := range messages {
		if fds, err := syscall.ParseUnixRights(&messages[i]); err == nil {
			c.files = append(c.files, fds...)
		}
	}
	return true
}

// TakeFiles returns the n descriptors received first. The caller closes them.
func (c *Conn) TakeFiles(n int) ([]int, error) {
	if n > len(c.files) {
		return nil, fmt.Errorf("%w: %d files announced, %d received", ErrMalformed, n, len(c.files))
	}
	files := append([]int(nil), c.files[:n]...)
	c.files = append(c.files[:0], c.files[n:]...)
	return files, nil
}

// Write sends b.
func (c *Conn) Write(b []byte) (int, error) { return c.f.Write(b) }

// Send sends b with files.
func (c *Conn) Send(b []byte, files []int) error {
	if len(files) == 0 {
		_, err := c.f.Write(b)
		return err
	}
	rights := syscall.UnixRights(files...)
	var n int
	var sent error
	err := c.raw.Write(func(fd uintptr) bool {
		for {
			n, sent = syscall.SendmsgN(int(fd), b, rights, nil, syscall.MSG_NOSIGNAL)
			if sent != syscall.EINTR {
				return sent != syscall.EAGAIN
			}
		}
	})
	if err = errors.Join(err, sent); err != nil {
		return err
	}
	_, err = c.f.Write(b[n:])
	return err
}

// SetReadDeadline makes a Read that waits at t fail.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.f.SetReadDeadline(t) }

// Control calls f with the descriptor of the socket.
func (c *Conn) Control(f func(fd uintptr)) error { return c.raw.Control(f) }

// Shutdown ends both directions: the other end and a pending Read see the end
// of the stream.
func (c *Conn) Shutdown() {
	_ = c.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

// Close closes the socket.
func (c *Conn) Close() error {
	return c.f.Close()
}

// CloseFiles closes the descriptors nobody took. The reading goroutine calls
// it when it is done.
func (c *Conn) CloseFiles() {
	for _, fd := range c.files {
		syscall.Close(fd)
	}
	c.files = nil
}
