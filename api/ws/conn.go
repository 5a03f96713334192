package ws

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
)

// Kind is the kind of a message.
type Kind byte

const (
	Text   Kind = 1
	Binary Kind = 2
)

const (
	opContinue = 0
	opClose    = 8
	opPing     = 9
	opPong     = 10
)

// MaxMessage is the size in bytes of the largest message that is read.
const MaxMessage = 1 << 20

// ErrProtocol says that the peer broke the protocol.
var ErrProtocol = errors.New("websocket: malformed frame")

// Conn is an open WebSocket.
type Conn struct {
	conn io.ReadWriteCloser
	r    *bufio.Reader
	msg  []byte // the message being read; reused

	mu     sync.Mutex
	out    []byte // the frame being written; reused; guarded by mu
	closed bool   // a close frame was sent; guarded by mu
}

// New makes a Conn of a connection whose handshake is over. r holds what was
// already read from conn.
func New(conn io.ReadWriteCloser, r *bufio.Reader) *Conn { return &Conn{conn: conn, r: r} }

// Read returns the next message; it is valid until the next call. Pings are
// answered. It returns io.EOF when the peer closed in order.
func (c *Conn) Read() (Kind, []byte, error) {
	c.msg = c.msg[:0]
	var kind Kind
	for {
		f, err := readHeader(c.r)
		if err != nil {
			return 0, nil, err
		}
		if f.op >= opClose {
			if err := c.control(f); err != nil {
				return 0, nil, err
			}
			continue
		}
		if (f.op == opContinue) != (kind != 0) || f.op > byte(Binary) {
			return 0, nil, ErrProtocol
		}
		if kind == 0 {
			kind = Kind(f.op)
		}
		if err := c.payload(f.size); err != nil {
			return 0, nil, err
		}
		if f.final {
			return kind, c.msg, nil
		}
	}
}

// payload appends size bytes of the stream to the message.
func (c *Conn) payload(size uint64) error {
	if size > uint64(MaxMessage-len(c.msg)) {
		return fmt.Errorf("websocket: message of more than %d bytes", MaxMessage)
	}
	old := len(c.msg)
	if need := old + int(size); need > cap(c.msg) {
		c.msg = append(make([]byte, 0, max(need, 4096)), c.msg...)
	}
	c.msg = c.msg[:old+int(size)]
	_, err := io.ReadFull(c.r, c.msg[old:])
	return unexpected(err)
}

// control acts on a control frame between or within messages.
func (c *Conn) control(f header) error {
	if !f.final || f.size > 125 {
		return ErrProtocol
	}
	var buf [125]byte
	p := buf[:f.size]
	if _, err := io.ReadFull(c.r, p); err != nil {
		return unexpected(err)
	}
	switch f.op {
	case opPing:
		return c.write(opPong, p)
	case opPong:
		return nil
	case opClose:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed {
			c.closed = true
			_ = c.frame(opClose, p) // the peer may be gone already
		}
		return io.EOF
	}
	return ErrProtocol
}

// Write sends one message made of parts.
func (c *Conn) Write(kind Kind, parts ...[]byte) error { return c.write(byte(kind), parts...) }

func (c *Conn) write(op byte, parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return io.ErrClosedPipe
	}
	return c.frame(op, parts...)
}

// frame writes one frame with a single call. c.mu is held.
func (c *Conn) frame(op byte, parts ...[]byte) error {
	c.out = appendFrame(c.out[:0], op, parts...)
	_, err := c.conn.Write(c.out)
	return err
}

// Append appends one message to b, as it goes over the connection.
func Append(b []byte, kind Kind, msg []byte) []byte { return appendFrame(b, byte(kind), msg) }

// appendFrame appends one masked frame to b.
func appendFrame(b []byte, op byte, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	b = append(b, 0x80|op)
	switch {
	case size < 126:
		b = append(b, 0x80|byte(size))
	case size < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(size))
	}
	mask := binary.NativeEndian.AppendUint32(nil, rand.Uint32())
	b = append(b, mask...)
	start := len(b)
	for _, p := range parts {
		b = append(b, p...)
	}
	for i := range b[start:] {
		b[start+i] ^= mask[i&3]
	}
	return b
}

// Close says goodbye and closes the connection. It may be called twice.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		_ = c.frame(opClose, []byte{0x03, 0xe8}) // 1000, normal; the peer may be gone already
	}
	return c.conn.Close()
}

// unexpected makes the end of the stream within a frame an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
