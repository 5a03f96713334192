package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// headTimeout is how long a client may take for a head once it began one;
	// idleTimeout how long it may keep a connection without asking.
	headTimeout = 10 * time.Second
	idleTimeout = 2 * time.Minute
)

// Proxy serves connections by its current Config. Its methods may be called
// concurrently.
type Proxy struct {
	log    *slog.Logger
	access func(Access)
	table  atomic.Pointer[table]
	http2  *http.Server
	plain  *http.Transport // to backends, for HTTP/2 clients
	h2c    *http.Transport
	ends   sync.Map // of HTTP/2: net.Conn to the chan struct{} that its end closes

	// Held is told of each request that waits for a first backend, by the
	// pool's name; nil is nobody. It is set before the first Set and must not
	// block.
	Held func(pool string)
	// Own answers requests that are the node's own business, by host and path,
	// with a text; nil, and false, leaves them to the routes. Like Held.
	Own func(host, path string) (string, bool)

	setting sync.Mutex
	metrics map[string]*Metrics // +checklocks:setting by pool

	done atomic.Bool // no further request may begin
	wait sync.WaitGroup

	mu      sync.Mutex
	clients map[*client]struct{} // +checklocks:mu open connections
}

// Access is one request that was answered, for the access log.
type Access struct {
	Time                     time.Time
	Client                   string
	Method, Host, Path, Pool string
	Backend                  string // its id, "" when none answered
	Status                   int
	Took                     time.Duration
}

// New makes a proxy without routes. access is called once for each request,
// from the goroutine that served it; nil has no access log.
func New(log *slog.Logger, access func(Access)) *Proxy {
	p := &Proxy{log: log, access: access, metrics: map[string]*Metrics{}, clients: map[*client]struct{}{}}
	p.table.Store(newTable(nil, nil))
	p.http2 = p.newHTTP2()
	p.plain, p.h2c = newTransports()
	return p
}

// Set makes c the configuration: requests that begin from now on follow it.
// Setting the same again changes nothing.
func (p *Proxy) Set(c Config) {
	p.setting.Lock()
	defer p.setting.Unlock()
	now := time.Now()
	old := p.table.Load()
	pools := map[string]*pool{}
	kept := map[*backend]bool{}
	for _, pc := range c.Pools {
		pc.withDefaults()
		m := p.metrics[pc.Name]
		if m == nil {
			m = &Metrics{}
			p.metrics[pc.Name] = m
		}
		fresh := &pool{Pool: pc, replaced: make(chan struct{}), metrics: m, held: p.Held}
		var before []*backend
		if o := old.pools[pc.Name]; o != nil {
			before = o.backends
		}
		for _, bc := range pc.Backends {
			b := reuse(before, bc)
			if b == nil {
				b = &backend{id: bc.ID, addr: bc.Addr.String(), since: now}
			}
			b.weight.Store(int64(max(bc.Weight, 1)))
			b.drains.Store(bc.Draining)
			b.closed.Store(bc.Down || bc.Draining)
			kept[b] = true
			fresh.backends = append(fresh.backends, b)
		}
		pools[pc.Name] = fresh
	}
	p.table.Store(newTable(c.Routes, pools))
	for name, o := range old.pools {
		o.next.Store(pools[name])
		close(o.replaced)
		for _, b := range o.backends {
			if !kept[b] {
				b.retire()
			}
		}
		if pools[name] == nil {
			delete(p.metrics, name)
		}
	}
}

func reuse(list []*backend, c Backend) *backend {
	for _, b := range list {
		if b.id == c.ID && b.addr == c.Addr.String() {
			return b
		}
	}
	return nil
}

// Metrics is a snapshot of every pool's counters.
func (p *Proxy) Metrics() map[string]Snapshot {
	p.setting.Lock()
	defer p.setting.Unlock()
	out := make(map[string]Snapshot, len(p.metrics))
	for name, m := range p.metrics {
		out[name] = m.Snapshot()
	}
	return out
}

// Outstanding is the number of requests that each backend of a pool has now.
func (p *Proxy) Outstanding(pool string) map[string]int64 {
	out := map[string]int64{}
	if o := p.table.Load().pools[pool]; o != nil {
		for _, b := range o.backends {
			out[b.id] += b.outstanding.Load()
		}
	}
	return out
}

// Serve accepts connections until the listener is closed. With a TLS
// configuration it speaks TLS, and HTTP/2 to those who offer it. Of protocols
// that the configuration adds only the handshake is served.
func (p *Proxy) Serve(l net.Listener, secure *tls.Config) error {
	if secure != nil {
		secure = secure.Clone()
		secure.NextProtos = append([]string{"h2", "http/1.1"}, secure.NextProtos...)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				continue
			}
			return err
		}
		o := &client{Conn: c}
		if !p.track(o) {
			c.Close()
			return nil
		}
		p.wait.Go(func() { p.serveConn(o, secure) })
	}
}

// serveConn finds out what the client speaks and serves it.
func (p *Proxy) serveConn(c *client, secure *tls.Config) {
	defer p.untrack(c)
	conn := c.Conn
	if secure != nil {
		if conn = p.handshake(c, secure); conn == nil {
			return
		}
	}
	newSession(p, conn, c, secure != nil).run()
}

// handshake makes a client's connection secure. It returns nil when there is
// nothing left to serve by HTTP/1.
func (p *Proxy) handshake(c *client, secure *tls.Config) net.Conn {
	t := tls.Server(c.Conn, secure)
	c.SetDeadline(time.Now().Add(headTimeout))
	if err := t.HandshakeContext(context.Background()); err != nil {
		c.Close()
		return nil
	}
	c.SetDeadline(time.Time{})
	switch t.ConnectionState().NegotiatedProtocol {
	case "h2":
		p.serveHTTP2(t, c)
		return nil
	case "", "http/1.1":
		return t
	}
	t.Close() // the handshake was all that the client wanted
	return nil
}

// Shutdown lets the requests that are being served finish, until ctx ends, and
// closes every connection. The caller closes the listeners first.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.done.Store(true)
	for _, c := range p.open() {
		c.endIdle()
	}
	p.http2.Shutdown(ctx) // ctx's end is reported below
	finished := make(chan struct{})
	go func() {
		p.wait.Wait()
		close(finished)
	}()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = ctx.Err()
		for _, c := range p.open() {
			c.end()
		}
		<-finished
	}
	p.Set(Config{})
	p.plain.CloseIdleConnections()
	p.h2c.CloseIdleConnections()
	return err
}
