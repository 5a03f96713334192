package proxy

import (
	"io"
	"net"
	"time"
)

// prefixed is the client with a head that goes out in the same write as the
// first of the body.
type prefixed struct {
	net.Conn
	prefix []byte
	broken error // what the client's side failed with
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.prefix == nil {
		p.SetWriteDeadline(time.Now().Add(paceStop))
		n, err := p.Conn.Write(b)
		if err != nil {
			p.broken = err
		}
		return n, err
	}
	if len(b) > copyBuffer {
		if err := p.flush(); err != nil {
			return 0, err
		}
		return p.Write(b)
	}
	p.prefix = append(p.prefix, b...)
	if err := p.flush(); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *prefixed) flush() error {
	if p.prefix == nil {
		return nil
	}
	p.SetWriteDeadline(time.Now().Add(paceStop))
	_, err := p.Conn.Write(p.prefix)
	p.prefix = nil
	if err != nil {
		p.broken = err
	}
	return err
}

// ReadFrom lets the kernel move large bodies between two sockets. It cannot be
// told then which of them failed: an end that came too early is the backend's,
// everything else is taken for the client's.
func (p *prefixed) ReadFrom(r io.Reader) (int64, error) {
	if err := p.flush(); err != nil {
		return 0, err
	}
	p.SetWriteDeadline(time.Now().Add(paceStop))
	n, err := io.Copy(p.Conn, r)
	if err != nil {
		p.broken = err
	}
	return n, err
}
