package proxy

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
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
func (p *Proxy) serveHTTP2(c net.Conn, o *client) {
	if !o.begin() {
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
type preread struct {
	net.Conn
	from *stream
}

func (p preread) Read(b []byte) (int, error) {
	if have := p.from.buffered(); len(have) > 0 {
		n := copy(b, have)
		p.from.r += n
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
	seen := &statusWriter{ResponseWriter: w}
	x := &exchange2{proxy: p, pool: e.pool, in: r, start: start, from: e.pool.origin2(r)}
	defer x.end()
	rp := &httputil.ReverseProxy{
		Transport: x, FlushInterval: -1, ErrorLog: p.http2.ErrorLog, BufferPool: copyBuffers{},
		Rewrite:      func(pr *httputil.ProxyRequest) { x.rewrite(pr, e) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { x.refuse(w, err) },
	}
	if limit := e.pool.MaxBody; limit > 0 && r.ContentLength > limit {
		x.refuse(seen, tooLarge(limit))
	} else {
		if limit > 0 {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		if r.ContentLength != 0 && !isGRPC(r) {
			r.Body = &pacedBody{ReadCloser: r.Body, rc: http.NewResponseController(w)}
		}
		rp.ServeHTTP(seen, r)
	}
	x.pool.metrics.observe(seen.status, time.Since(start))
	if p.access != nil && x.pool.AccessLog {
		a := Access{Time: start, Client: x.from.client.String(), Method: r.Method, Host: r.Host, Path: r.URL.Path, Pool: x.pool.Name,
			Status: seen.status, Took: time.Since(start)}
		if x.backend != nil {
			a.Backend = x.backend.id
		}
		p.access(a)
	}
}

// copyBuffers gives the reverse proxy its buffers.
type copyBuffers struct{}

var copyBuffersPool = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

func (copyBuffers) Get() []byte  { return copyBuffersPool.Get().(*[copyBuffer]byte)[:] }
func (copyBuffers) Put(b []byte) { copyBuffersPool.Put((*[copyBuffer]byte)(b)) }

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
