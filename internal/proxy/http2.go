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
	b := e.pool.pick(start, nil, "")
	if b == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "503 no backend of "+e.pool.Name+" is up", http.StatusServiceUnavailable)
		e.pool.metrics.observe(503, time.Since(start))
		return
	}
	b.outstanding.Add(1)
	defer b.outstanding.Add(-1)
	seen := &statusWriter{ResponseWriter: w}
	rp := &httputil.ReverseProxy{
		Transport: p.transport(r), FlushInterval: -1, ErrorLog: p.http2.ErrorLog,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: b.addr})
			pr.Out.Host = pr.In.Host
			pr.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			b.failed(time.Now(), e.pool.EjectAfter)
			if errors.Is(err, context.DeadlineExceeded) {
				http.Error(w, "504 the backend did not answer in time", http.StatusGatewayTimeout)
				return
			}
			http.Error(w, "502 the backend did not answer", http.StatusBadGateway)
		},
		ModifyResponse: func(*http.Response) error { b.succeeded(); return nil },
	}
	if e.strip {
		r = r.Clone(r.Context())
		r.URL.Path = r.URL.Path[len(e.path):]
		r.URL.RawPath = ""
	}
	rp.ServeHTTP(seen, r)
	e.pool.metrics.observe(seen.status, time.Since(start))
	if p.access != nil {
		client := r.RemoteAddr
		if a, err := netip.ParseAddrPort(client); err == nil {
			client = a.Addr().String()
		}
		p.access(Access{Time: start, Client: client, Method: r.Method, Host: r.Host, Path: r.URL.Path, Pool: e.pool.Name,
			Backend: b.id, Status: seen.status, Took: time.Since(start)})
	}
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
