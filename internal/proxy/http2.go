package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
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
	seen := &statusWriter{ResponseWriter: w}
	x := &exchange2{proxy: p, pool: e.pool, in: r, start: start}
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
		a := Access{Time: start, Client: addressOf(r).String(), Method: r.Method, Host: r.Host, Path: r.URL.Path, Pool: x.pool.Name,
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

// exchange2 is one HTTP/2 request with its answer. It is the transport of a
// reverse proxy: it chooses the backend, and another one where that is safe.
type exchange2 struct {
	proxy    *Proxy
	pool     *pool
	in       *http.Request
	start    time.Time
	backend  *backend // the last one tried, or nil
	tried    []*backend
	bodyRead bool
	cancel   context.CancelCauseFunc // of the last try, or nil
}

var (
	errNoBackend = errors.New("no backend is up")
	errHeadTime  = errors.New("the backend did not answer in time")
)

func (x *exchange2) rewrite(pr *httputil.ProxyRequest, e *entry) {
	pr.Out.URL.Scheme, pr.Out.Host = "http", pr.In.Host
	for _, name := range []string{"Forwarded", "X-Real-Ip", "X-Forwarded-Port"} {
		pr.Out.Header.Del(name) // as with HTTP/1; the others are gone already
	}
	pr.SetXForwarded()
	if e.strip {
		u := pr.Out.URL
		if u.Path = u.Path[len(e.path):]; u.Path == "" || u.Path[0] != '/' {
			u.Path = "/" + u.Path
		}
		u.RawPath = ""
	}
}

// RoundTrip sends the request to a backend, and to another one as long as that
// is safe.
func (x *exchange2) RoundTrip(out *http.Request) (*http.Response, error) {
	if out.Body != nil {
		out.Body = &watchedBody{out.Body, &x.bodyRead}
	}
	var last error
	until := time.Time{}
	for retries := x.pool.Retries; ; retries-- {
		b := x.choose(&until)
		if b == nil {
			if last == nil {
				last = errNoBackend
			}
			return nil, last
		}
		resp, err := x.try(b, out)
		if err == nil {
			b.succeeded()
			if name := x.pool.Affinity; name != "" && stickyOf(x.in, name) != b.id {
				resp.Header.Add("Set-Cookie", name+"="+b.id+"; Path=/; HttpOnly; SameSite=Lax")
			}
			return resp, nil
		}
		if x.in.Context().Err() != nil || isClients(err) {
			return nil, err
		}
		b.failed(time.Now(), x.pool.EjectAfter)
		if retries <= 0 || !x.repeatable(out, err) {
			return nil, err
		}
		x.pool.metrics.retries.Add(1)
		x.tried, last = append(x.tried, b), err
	}
}

// try sends the request to b, where it counts until end or the next try.
func (x *exchange2) try(b *backend, out *http.Request) (*http.Response, error) {
	x.end()
	x.backend = b
	b.outstanding.Add(1)
	ctx, cancel := context.WithCancelCause(out.Context())
	x.cancel = cancel
	// The wait for an answer begins when the whole request was sent: a stream
	// of a client's may go on for as long as it likes.
	limit := time.AfterFunc(x.pool.HeadTimeout, func() { cancel(errHeadTime) })
	defer limit.Stop()
	if out.Body != nil {
		limit.Stop()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { limit.Reset(x.pool.HeadTimeout) }})
	}
	once := out.WithContext(ctx)
	u := *out.URL
	u.Host, once.URL = b.addr, &u
	resp, err := x.proxy.transport(x.in).RoundTrip(once)
	if err != nil && context.Cause(ctx) == errHeadTime {
		err = errHeadTime
	}
	return resp, err
}

// end gives up what the last try holds.
func (x *exchange2) end() {
	if x.cancel != nil {
		x.cancel(nil)
		x.backend.outstanding.Add(-1)
		x.cancel = nil
	}
}

// choose picks a backend, or nil; it waits for a first one where the pool allows that.
func (x *exchange2) choose(until *time.Time) *backend {
	for {
		now := time.Now()
		prefer := ""
		if x.pool.Affinity != "" {
			prefer = stickyOf(x.in, x.pool.Affinity)
		}
		if prefer == "" && x.pool.Source {
			prefer = x.pool.of(addressOf(x.in), now)
		}
		if b := x.pool.pick(now, x.tried, prefer); b != nil {
			return b
		}
		if x.pool.Hold == 0 {
			return nil
		}
		if until.IsZero() {
			*until = now.Add(x.pool.Hold)
			x.pool.metrics.held.Add(1)
		}
		x.pool.ask()
		if !x.pool.await(x.in.Context(), *until) {
			return nil
		}
		if next := x.pool.next.Load(); next != nil {
			x.pool = next
		}
		x.tried = x.tried[:0]
	}
}

// repeatable reports whether the request may be sent again: it never left, or
// it is one that may be repeated and has no body.
func (x *exchange2) repeatable(out *http.Request, err error) bool {
	if x.bodyRead {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	return idempotent(x.in.Method) && out.Body == nil
}

// isClients says that an error is the fault of who asks.
func isClients(err error) bool {
	_, large := errors.AsType[*http.MaxBytesError](err)
	return large || errors.Is(err, errSlow)
}

// refuse answers with an error of the proxy's own.
func (x *exchange2) refuse(w http.ResponseWriter, err error) {
	status, why := http.StatusBadGateway, "the backend did not answer"
	large, tooMuch := errors.AsType[*http.MaxBytesError](err)
	own, isOwn := errors.AsType[*malformed](err)
	switch {
	case isOwn:
		status, why = own.status, own.what
	case tooMuch:
		status, why = http.StatusRequestEntityTooLarge, tooLarge(large.Limit).Error()
	case errors.Is(err, errSlow):
		status, why = http.StatusRequestTimeout, err.Error()
	case err == errNoBackend:
		w.Header().Set("Retry-After", "1")
		status, why = http.StatusServiceUnavailable, "no backend of "+x.pool.Name+" is up"
	case err == errHeadTime:
		status, why = http.StatusGatewayTimeout, err.Error()
	}
	http.Error(w, strconv.Itoa(status)+" "+why, status)
}

// watchedBody notes that some of a body was taken. It is closed by who made
// it, not by each try.
type watchedBody struct {
	io.Reader
	read *bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	*b.read = true
	return b.Reader.Read(p)
}

func (b *watchedBody) Close() error { return nil }

// pacedBody is a body that must not come too slowly.
type pacedBody struct {
	io.ReadCloser
	pace pace
	rc   *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(b.pace.deadline(time.Now())) // a connection that ends says so itself
	n, err := b.ReadCloser.Read(p)
	b.pace.came(int64(n), time.Now())
	if isTimeout(err) {
		err = errSlow
	}
	return n, err
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
	plain = &http.Transport{MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: maxIdleAge,
		DialContext: (&net.Dialer{Timeout: defaultConnect}).DialContext, DisableCompression: true}
	h2c = plain.Clone()
	h2c.Protocols = &http.Protocols{}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	return plain, h2c
}

func (p *Proxy) transport(r *http.Request) http.RoundTripper {
	if isGRPC(r) {
		return p.h2c
	}
	return p.plain
}

func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
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
