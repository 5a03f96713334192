package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"
)

// HTTP/2 (and with it gRPC) is served by the standard library: the framing is
// where its own code would gain least. Routing, choice and accounting are the
// same as for HTTP/1.

func (p *Proxy) newHTTP2() *http.Server {
	both := &http.Protocols{}
	both.SetUnencryptedHTTP2(true)
	both.SetHTTP2(true)
	return &http.Server{
		Handler: http.HandlerFunc(p.handle), Protocols: both,
		ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		ConnState: p.noteEnd, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
}

// serveHTTP2 serves one connection until it ends. The proxy counts it as busy:
// only the HTTP/2 server knows when it is idle.
func (p *Proxy) serveHTTP2(c, raw net.Conn) {
	if !p.busy(raw, true) {
		c.Close()
		return
	}
	ended := make(chan struct{})
	p.ends.Store(c, ended)
	p.http2.Serve(&oneConn{conn: c}) // always ends in an error: that of the exhausted listener
	<-ended
}

// noteEnd is the HTTP/2 server's word that it has let go of a connection.
func (p *Proxy) noteEnd(c net.Conn, s http.ConnState) {
	if s != http.StateClosed && s != http.StateHijacked {
		return
	}
	if ended, ok := p.ends.LoadAndDelete(c); ok {
		close(ended.(chan struct{}))
	}
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn  net.Conn
	taken bool
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.taken {
		return nil, io.EOF
	}
	l.taken = true
	return l.conn, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// preread is a stream as a connection: what it has buffered is read first.
type preread struct{ *stream }

func (p preread) Read(b []byte) (int, error) {
	if have := p.buffered(); len(have) > 0 {
		n := copy(b, have)
		p.r += n
		return n, nil
	}
	return p.Conn.Read(b)
}

// handle serves one HTTP/2 request.
func (p *Proxy) handle(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	e := p.table.Load().match([]byte(r.Host), []byte(r.URL.Path))
	if e == nil {
		http.Error(w, "404 no service has this host and path", http.StatusNotFound)
		return
	}
	pool, b := e.pool.choose(r, start)
	if b == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "503 no backend of "+pool.Name+" is up", http.StatusServiceUnavailable)
		pool.metrics.observe(503, time.Since(start))
		return
	}
	defer b.outstanding.Add(-1)
	if limit := pool.MaxBody; limit > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	seen := &statusWriter{ResponseWriter: w}
	rp := &httputil.ReverseProxy{
		Transport: p.transport(r), FlushInterval: -1, ErrorLog: p.http2.ErrorLog,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: b.addr})
			pr.Out.Host = pr.In.Host
			pr.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			b.failed(time.Now(), pool.EjectAfter)
			if errors.Is(err, context.DeadlineExceeded) {
				http.Error(w, "504 the backend did not answer in time", http.StatusGatewayTimeout)
				return
			}
			http.Error(w, "502 the backend did not answer", http.StatusBadGateway)
		},
		ModifyResponse: func(resp *http.Response) error {
			b.succeeded()
			if pool.Affinity != "" && stickyOf(r, pool.Affinity) != b.id {
				resp.Header.Add("Set-Cookie", pool.Affinity+"="+b.id+"; Path=/; HttpOnly; SameSite=Lax")
			}
			return nil
		},
	}
	if e.strip {
		r = r.Clone(r.Context())
		r.URL.Path = r.URL.Path[len(e.path):]
		r.URL.RawPath = ""
	}
	rp.ServeHTTP(seen, r)
	pool.metrics.observe(seen.status, time.Since(start))
	if p.access != nil && pool.AccessLog {
		p.access(Access{Time: start, Client: addressOf(r).String(), Method: r.Method, Host: r.Host, Path: r.URL.Path, Pool: pool.Name,
			Backend: b.id, Status: seen.status, Took: time.Since(start)})
	}
}

// choose picks a backend for an HTTP/2 request and counts it there; it waits
// for a first one where the pool allows that. pool is that of the backend.
func (p *pool) choose(r *http.Request, now time.Time) (pool *pool, b *backend) {
	until := now.Add(p.Hold)
	for pool = p; ; {
		prefer := ""
		if pool.Affinity != "" {
			prefer = stickyOf(r, pool.Affinity)
		}
		if prefer == "" && pool.Source {
			prefer = pool.of(addressOf(r), now)
		}
		if b = pool.pick(now, nil, prefer); b != nil {
			b.outstanding.Add(1)
			return pool, b
		}
		if pool.Hold > 0 {
			pool.ask()
		}
		if pool.Hold == 0 || !pool.await(r.Context(), until) {
			return pool, nil
		}
		if next := pool.next.Load(); next != nil {
			pool = next
		}
		now = time.Now()
	}
}

// stickyOf is the backend that a request's affinity cookie names, or "".
func stickyOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// addressOf is the client's address.
func addressOf(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	return a.Addr().Unmap()
}

// newTransports makes the ways to a backend: gRPC needs HTTP/2 all the way, the
// rest is served with HTTP/1.1 as every server can.
func newTransports() (plain, h2c *http.Transport) {
	plain = &http.Transport{MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: maxIdleAge, ResponseHeaderTimeout: defaultHead,
		DialContext: (&net.Dialer{Timeout: defaultConnect}).DialContext, DisableCompression: true}
	h2c = plain.Clone()
	h2c.Protocols = &http.Protocols{}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	return plain, h2c
}

func (p *Proxy) transport(r *http.Request) http.RoundTripper {
	if t := r.Header.Get("Content-Type"); len(t) >= 16 && t[:16] == "application/grpc" {
		return p.h2c
	}
	return p.plain
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }
