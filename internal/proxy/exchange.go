package proxy

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// exchange is one request with its answer.
type exchange struct {
	*session
	pool     *pool
	backend  *backend
	up       *stream
	method   []byte
	target   []byte
	start    time.Time
	over     time.Time // when run ended
	from     origin
	status   int
	tried    []*backend
	bodySent bool // some of the request's body was taken from the client
}

// forget lets go of what the exchange spoke of. Fields are set one by one after
// it: a literal of all would be made on the stack first, and each idle connection
// keeps its stack as large as it ever was.
func (x *exchange) forget() {
	clear(x.tried)
	tried := x.tried[:0]
	*x = exchange{}
	x.tried = tried
}

// log tells the access log of a request that was answered.
func (x *exchange) log(path []byte, took time.Duration) {
	a := Access{Time: x.start, Client: x.from.client.String(), Method: string(x.method), Host: string(x.request.host.of(x.request.buf)),
		Path: string(path), Pool: x.pool.Name, Status: x.status, Took: took}
	if x.backend != nil {
		a.Backend = x.backend.id
	}
	x.proxy.access(a)
}

// run carries the request to a backend and the answer back, on another backend
// where that is safe, and reports whether the client's connection may go on.
func (x *exchange) run() bool {
	again := x.carry()
	x.over = time.Now()
	return again
}

func (x *exchange) carry() bool {
	var last error
	until := time.Time{}
	now := x.start
	for retries := x.pool.Retries; ; retries-- {
		sticky := x.sticky()
		prefer := sticky
		if prefer == "" && x.pool.Source {
			prefer = x.pool.of(x.from.client, now)
		}
		b := x.pool.pick(now, x.tried, prefer)
		if b == nil {
			// Those tried may have been the last of a group that went to
			// nothing: what was not repeatable is not here.
			if x.hold(&until, now) {
				retries++
				x.tried = x.tried[:0]
				now = time.Now()
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
		now = time.Now()
		b.failed(now, x.pool.EjectAfter)
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
