package network

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel routes nothing back to ::1 from a link, so a published port is
// not redirected there. What a program of the node sends to [::1]:port arrives
// at the reservation's own socket instead, and is carried over by the daemon.

// dialTimeout is how long an instance may take to accept.
const dialTimeout = 10 * time.Second

// loopback carries connections from [::1] to an instance.
type loopback struct {
	l    net.Listener
	to   string
	done sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // +checklocks:mu; nil once closed
}

// carry begins for a reservation that such connections may arrive at.
func (r *reservation) carry() error {
	forLoopback := r.rule.Host == netip.IPv6Unspecified() || r.rule.Host == netip.IPv6Loopback()
	if r.socket < 0 || !forLoopback || r.rule.Protocol != unix.IPPROTO_TCP {
		return nil
	}
	if err := unix.Listen(r.socket, 128); err != nil {
		return os.NewSyscallError("listen", err)
	}
	fd, err := unix.FcntlInt(uintptr(r.socket), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("dup", err)
	}
	f := os.NewFile(uintptr(fd), "published port")
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return err
	}
	r.loopback = &loopback{l: l, to: r.rule.To.String(), conns: map[net.Conn]struct{}{}}
	r.loopback.done.Go(r.loopback.accept)
	return nil
}

func (b *loopback) accept() {
	for {
		c, err := b.l.Accept()
		if err != nil {
			return
		}
		b.done.Go(func() { b.relay(c) })
	}
}

func (b *loopback) relay(c net.Conn) {
	defer c.Close()
	if !b.keep(c) {
		return
	}
	defer b.forget(c)
	up, err := net.DialTimeout("tcp", b.to, dialTimeout)
	if err != nil {
		return
	}
	defer up.Close()
	if !b.keep(up) {
		return
	}
	defer b.forget(up)
	var both sync.WaitGroup
	both.Go(func() { copyHalf(up, c) })
	both.Go(func() { copyHalf(c, up) })
	both.Wait()
}

// copyHalf copies one direction and passes its end on.
func copyHalf(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if t, ok := to.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
}

func (b *loopback) keep(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		return false
	}
	b.conns[c] = struct{}{}
	return true
}

func (b *loopback) forget(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
}

// close ends all connections and waits for it.
func (b *loopback) close() {
	b.l.Close()
	b.mu.Lock()
	for c := range b.conns {
		c.Close()
	}
	b.conns = nil
	b.mu.Unlock()
	b.done.Wait()
}
