package proxy

import (
	"io"
	"net"
	"time"
)

// tunnel joins the two connections after an upgrade, until both have ended.
func (x *exchange) tunnel() error {
	x.out = appendResponse(x.out[:0], &x.response, 101, none, true, true, nil)
	x.out = append(x.out, x.up.buffered()...)
	x.up.r = x.up.w
	if _, err := x.in.Write(x.out); err != nil {
		return errClient
	}
	if b := x.in.buffered(); len(b) > 0 {
		if _, err := x.up.Write(b); err != nil {
			return err
		}
		x.in.r = x.in.w
	}
	x.in.SetDeadline(time.Time{})
	x.up.SetDeadline(time.Time{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(x.up.Conn, x.in.Conn)
		closeWrite(x.up.Conn)
	}()
	io.Copy(x.in.Conn, x.up.Conn)
	closeWrite(x.in.Conn)
	// The client may go on sending only as long as somebody listens.
	x.in.SetReadDeadline(time.Now().Add(headTimeout))
	<-done
	return nil
}

func closeWrite(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		h.CloseWrite()
	}
}
