package proxy

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
)

// client is a client's connection, as the proxy keeps count of it.
type client struct {
	net.Conn
	state atomic.Int32
}

// States of a client.
const (
	idle = iota
	served
	ended // no request may begin
)

// track counts a client's connection; it returns false when the proxy is closing.
func (p *Proxy) track(c *client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done.Load() {
		return false
	}
	p.clients[c] = struct{}{}
	return true
}

func (p *Proxy) untrack(c *client) {
	p.mu.Lock()
	delete(p.clients, c)
	p.mu.Unlock()
}

// open are the clients' connections that there are.
func (p *Proxy) open() []*client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.clients))
}

// begin notes that a request is being served. It returns false when none may
// begin any more.
func (c *client) begin() bool { return c.state.CompareAndSwap(idle, served) }

// finish notes that the request is over, and returns false when the proxy is
// closing. A Shutdown that began before finds the client idle, or is found here.
func (c *client) finish(p *Proxy) bool {
	c.state.Store(idle)
	return !p.done.Load()
}

// endIdle ends the connection if no request is being served.
func (c *client) endIdle() {
	if c.state.CompareAndSwap(idle, ended) {
		c.end()
	}
}

// end has whoever reads from the connection, or writes to it, meet its end.
// They close it themselves: to close a connection waits for those who are in
// the middle of a read, and they may be at work for longer than that.
func (c *client) end() {
	t, ok := c.Conn.(*net.TCPConn)
	if !ok {
		c.Close()
		return
	}
	_ = t.CloseWrite() // whoever has closed it already is the end of it
	_ = t.CloseRead()
}

// address is the client's.
func (c *client) address() netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.IPv6Unspecified()
}
