package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"strconv"
	"time"
)

// exchange2 is one HTTP/2 request with its answer. It is the transport of a
// reverse proxy: it chooses the backend, and another one where that is safe.
type exchange2 struct {
	proxy    *Proxy
	pool     *pool
	in       *http.Request
	start    time.Time
	from     origin
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
	x.from.setForwarded(pr.Out.Header, pr.In.TLS != nil, pr.In.Host)
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
			if isGRPC(x.in) {
				asTrailers(resp)
			}
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
			prefer = x.pool.of(x.from.client, now)
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
