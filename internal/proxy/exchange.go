package proxy

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"
)

// streamSilence is how long a backend may be silent within an answer: events
// may be far apart, but not for ever.
const streamSilence = 10 * time.Minute

// exchange is one request with its answer.
type exchange struct {
	*session
	pool     *pool
	backend  *backend
	up       *stream
	method   []byte
	target   []byte
	start    time.Time
	status   int
	tried    []*backend
	bodySent bool // some of the request's body was taken from the client
}

// run carries the request to a backend and the answer back, on another backend
// where that is safe, and reports whether the client's connection may go on.
func (x *exchange) run() bool {
	var last error
	until := time.Time{}
	for retries := x.pool.Retries; ; retries-- {
		sticky := x.sticky()
		now := time.Now()
		prefer := sticky
		if prefer == "" && x.pool.Source {
			prefer = x.pool.of(x.client, now)
		}
		b := x.pool.pick(now, x.tried, prefer)
		if b == nil {
			// Those tried may have been the last of a group that went to
			// nothing: what was not repeatable is not here.
			if x.hold(&until, now) {
				retries++
				x.tried = x.tried[:0]
				continue
			}
			x.unavailable(last)
			return false
		}
		x.backend = b
		b.outstanding.Add(1)
		again, err := x.attempt(b, now, sticky)
		b.outstanding.Add(-1)
		if err == nil {
			b.succeeded()
			return again
		}
		if errors.Is(err, errClient) {
			return false
		}
		b.failed(time.Now(), x.pool.EjectAfter)
		last = err
		if x.status != 0 {
			return false // the answer had begun: it can only break off
		}
		if retries <= 0 || !x.repeatable(err) {
			x.unavailable(last)
			return false
		}
		x.pool.metrics.retries.Add(1)
		x.tried = append(x.tried, b)
	}
}

// hold waits for a first backend where the pool allows that.
func (x *exchange) hold(until *time.Time, now time.Time) bool {
	if x.pool.Hold == 0 {
		return false
	}
	if until.IsZero() {
		*until = now.Add(x.pool.Hold)
		x.pool.metrics.held.Add(1)
	}
	x.pool.ask()
	if !x.pool.await(background(), *until) {
		return false
	}
	if fresh := x.proxy.table.Load().pools[x.pool.Name]; fresh != nil {
		x.pool = fresh
		return true
	}
	return false
}

var (
	errClient = errors.New("the client is gone")
	errDial   = errors.New("connect") // nothing was sent
	errStale  = errors.New("stale")   // a used connection broke before any answer
)

// repeatable reports whether the request may be sent again: it never left, or
// it is one that may be repeated and had no body.
func (x *exchange) repeatable(err error) bool {
	if x.bodySent {
		return false
	}
	if errors.Is(err, errDial) {
		return true
	}
	return x.idempotent() && x.request.requestFraming() == none
}

func (x *exchange) idempotent() bool { return idempotent(string(x.method)) }

// idempotent says whether a request of that method may be repeated.
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return true
	}
	return false
}

// fail answers with an error of the proxy's own.
func (x *exchange) fail(status int, why string) {
	x.status = status
	x.answer(status, why, "")
}

func (x *exchange) unavailable(err error) {
	switch ne, timeout := errors.AsType[net.Error](err); {
	case err == nil:
		x.status = 503
		x.answer(503, "no backend of "+x.pool.Name+" is up", "Retry-After: 1\r\n")
	case timeout && ne.Timeout() && !errors.Is(err, errDial):
		x.fail(504, "the backend did not answer in time")
	default:
		x.fail(502, "the backend did not answer")
	}
}

// attempt sends the request to b and copies the answer.
func (x *exchange) attempt(b *backend, now time.Time, sticky string) (again bool, err error) {
	up, used, err := b.take(background(), now, x.pool.ConnectTimeout)
	if err == nil && used && !x.idempotent() && !alive(up) {
		up.Close()
		up, err = b.dial(background(), x.pool.ConnectTimeout)
		used = false
	}
	if err != nil {
		return false, errors.Join(errDial, err)
	}
	x.up = up
	healthy := false // the connection is good for another request
	defer func() {
		if healthy {
			b.give(up, time.Now())
			return
		}
		up.Close()
	}()
	if err := x.send(); err != nil {
		return false, err
	}
	status, err := x.readAnswer(now)
	if err != nil {
		if used && err == io.EOF && x.repeatable(errStale) {
			return x.attempt(b, now, sticky) // closed while idle: no fault of the backend's
		}
		return false, err
	}
	if status == 101 {
		x.status = status
		return false, x.tunnel()
	}
	again, healthy, err = x.reply(status, sticky)
	return again, err
}

// send writes the request's head with what there is of its body, then the rest.
func (x *exchange) send() error {
	h := &x.request
	x.out = appendRequest(x.out[:0], h, x.target, x.client, x.secure)
	framing := h.requestFraming()
	left := h.length
	if framing == counted {
		b := x.in.buffered()
		b = b[:min(int64(len(b)), left)]
		if len(b) > 0 {
			x.out = append(x.out, b...)
			x.in.r += len(b)
			left -= int64(len(b))
			x.bodySent = true
		}
	}
	if _, err := x.up.Write(x.out); err != nil {
		return err
	}
	if framing == none || framing == counted && left == 0 {
		return nil
	}
	if h.expect && len(x.in.buffered()) == 0 {
		if _, err := x.in.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return errClient
		}
	}
	x.bodySent = true
	x.in.pace = &pace{}
	var err error
	if framing == chunks {
		err = copyChunks(x.up.Conn, x.in, false, x.pool.MaxBody)
	} else {
		err = copyCounted(x.up.Conn, x.in, left)
	}
	x.in.pace = nil
	if err == errSlow {
		err = &malformed{408, err.Error()}
	}
	if m, ok := errors.AsType[*malformed](err); ok {
		x.fail(m.status, m.what)
		x.linger()
		return errClient
	}
	if err == errBody {
		return errClient
	}
	return err
}

// readAnswer reads the head of the final answer; interim ones are left out.
func (x *exchange) readAnswer(now time.Time) (int, error) {
	x.up.SetReadDeadline(time.Now().Add(x.pool.HeadTimeout))
	for range 8 {
		b, err := x.up.readHead()
		if err != nil {
			return 0, err
		}
		status, err := x.response.parseResponse(b)
		if err != nil {
			return 0, err
		}
		if status >= 200 || status == 101 && x.request.upgrade {
			return status, nil
		}
	}
	return 0, bad("too many interim answers")
}

// reply copies the answer to the client.
func (x *exchange) reply(status int, sticky string) (again, healthy bool, err error) {
	h := &x.response
	framing := h.responseFraming(x.method, status)
	http11 := x.request.major1
	again = x.request.persists() && framing != untilEOF && (http11 || framing != chunks)
	var extra []byte
	if x.pool.Affinity != "" && sticky != x.backend.id {
		extra = append(append(append(append(extra, "Set-Cookie: "...), x.pool.Affinity...), '='), x.backend.id...)
		extra = append(extra, "; Path=/; HttpOnly; SameSite=Lax\r\n"...)
	}
	x.status = status
	x.out = appendResponse(x.out[:0], h, status, framing, again, http11, extra)
	dst := &prefixed{Conn: x.in.Conn, prefix: x.out}
	x.up.silence = streamSilence
	defer func() { x.up.silence = 0 }()
	switch framing {
	case none:
	case counted:
		err = copyCounted(dst, x.up, h.length)
	case chunks:
		err = copyChunks(dst, x.up, !http11, 0)
	case untilEOF:
		err = copyToEOF(dst, x.up)
	}
	if err == nil {
		err = dst.flush()
	}
	if dst.broken != nil {
		return false, false, errClient
	}
	if err != nil {
		return false, false, err
	}
	return again, framing != untilEOF && h.persists(), nil
}

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

// sticky is the backend that the client's affinity cookie names, or "".
func (x *exchange) sticky() string {
	name := x.pool.Affinity
	if name == "" {
		return ""
	}
	for _, f := range x.request.fields {
		if !equalFold(f.name.of(x.request.buf), "cookie") {
			continue
		}
		for part := range bytes.SplitSeq(f.value.of(x.request.buf), []byte(";")) {
			k, v, ok := bytes.Cut(bytes.TrimSpace(part), []byte("="))
			if ok && string(k) == name {
				return string(v)
			}
		}
	}
	return ""
}
