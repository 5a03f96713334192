package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/virga-cloud/virga/internal/linux/socket"
)

// session is one HTTP/1 client connection. All of it runs in one goroutine.
type session struct {
	proxy  *Proxy
	raw    *client
	in     *stream
	client netip.Addr
	secure bool
	began  bool    // a request was served
	ready  *waiter // of a connection without TLS

	*scratch // nil while the client is silent
}

// scratch is the memory that serving a request takes. An idle connection has
// none, so that ten thousand of them cost little.
type scratch struct {
	request, response head
	exchange          exchange
	answers           answers
	text              []byte // of the request's head: the body may overwrite what was read
	out               []byte // head being written
	in                []byte // what the client's stream reads into
	inbox             socket.Inbox
}

var scratches = sync.Pool{New: func() any { return &scratch{in: make([]byte, firstBuffer)} }}

func newSession(p *Proxy, c net.Conn, raw *client, secure bool) *session {
	s := &session{proxy: p, raw: raw, in: &stream{Conn: c}, client: raw.address(), secure: secure}
	if t, ok := c.(*net.TCPConn); ok {
		s.ready = newWaiter(t, s.whole)
	}
	return s
}

// await blocks until the client begins a request that is left to run, and
// returns how the requests that came whole before it ended.
func (s *session) await() (next, error) {
	if s.ready == nil {
		if s.scratch == nil {
			s.use(scratches.Get().(*scratch), 0)
		}
		return left, s.in.fill(maxHead)
	}
	s.rest()
	return s.ready.wait()
}

// use takes memory, with what was read into it.
func (s *session) use(m *scratch, n int) {
	s.scratch, s.in.buf, s.in.r, s.in.w = m, m.in, 0, n
}

// rest gives the memory back when everything that was read is used.
func (s *session) rest() {
	if s.scratch == nil {
		return
	}
	if cap(s.out)+cap(s.text) <= maxScratch && len(s.in.buf) == firstBuffer {
		s.scratch.in = s.in.buf
		s.scratch.exchange.forget()
		scratches.Put(s.scratch)
	}
	s.scratch, s.in.buf, s.in.r, s.in.w = nil, nil, 0, 0
}

var http2Preface = []byte("PRI * HTTP/2.0\r\n\r\n")

// run serves requests until one of the two closes.
func (s *session) run() {
	defer s.rest()
	defer s.in.Close()
	for ; ; s.began = true {
		now := time.Now()
		if len(s.in.buffered()) == 0 {
			s.in.readWithin(now, idleTimeout)
			if next, err := s.await(); err != nil || next == over {
				return
			}
			now = time.Now()
		}
		if headEnd(s.in.buffered(), 0) == 0 {
			s.in.readWithin(now, headTimeout)
		}
		b, err := s.in.readHead()
		if err != nil {
			s.refuse(err)
			return
		}
		if !s.began && bytes.Equal(b, http2Preface) {
			s.in.SetReadDeadline(time.Time{})
			s.in.r -= len(b)
			s.scratch = nil // its buffer belongs to HTTP/2 now
			s.proxy.serveHTTP2(preread{s.in.Conn, s.in}, s.raw)
			return
		}
		s.text = append(s.text[:0], b...)
		if err := s.request.parseRequest(s.text); err != nil {
			s.refuse(err)
			return
		}
		if !s.serve(now) {
			return
		}
	}
}

// next is what becomes of a connection after what was read from it.
type next uint8

const (
	left   next = iota // it is for run to serve
	silent             // it was served: wait for what comes
	over               // it was served, and the connection ends
)

// whole serves what was just read into m, if it is one whole request that needs
// nothing more of the client. It is called in the middle of a read: who reads
// from the client there waits for himself.
func (s *session) whole(m *scratch, n int) next {
	s.use(m, n)
	b := s.in.buffered()
	if headEnd(b, 0) != n || s.request.parseRequest(b) != nil || !s.request.alone() {
		return left
	}
	now := time.Now()
	s.in.r = n
	s.began = true
	if !s.serve(now) {
		return over
	}
	s.in.readWithin(s.exchange.over, idleTimeout)
	s.rest()
	return silent
}

// write sends to the client. It may take paceStop without any progress.
func (s *session) write(b []byte) error {
	if s.ready != nil {
		n, err := s.ready.send(b)
		if err != nil || n == len(b) {
			return err
		}
		b = b[n:]
	}
	s.in.SetWriteDeadline(time.Now().Add(paceStop))
	_, err := s.in.Conn.Write(b)
	return err
}

// refuse answers a request that cannot be served at all.
func (s *session) refuse(err error) {
	if m, ok := errors.AsType[*malformed](err); ok {
		s.answer(m.status, m.what, "")
		// What follows cannot be told apart from the body: let the client read
		// the answer before the connection is reset.
		s.linger()
		return
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() && len(s.in.buffered()) > 0 {
		s.answer(408, "the head took too long", "")
	}
}

func (s *session) linger() {
	if t, ok := s.raw.Conn.(*net.TCPConn); ok {
		t.CloseWrite()
		t.SetReadDeadline(time.Now().Add(time.Second))
		io.CopyN(io.Discard, t, 256<<10)
	}
}

// ownPaths begins the paths that Own is asked about (RFC 8615).
var ownPaths = []byte("/.well-known/")

// answer writes an error of the proxy's own and closes behind it.
func (s *session) answer(status int, why, extra string) {
	s.answerText(status, strconv.Itoa(status)+" "+why+"\n", extra)
}

// answerText writes an answer of the proxy's own, which ends the connection.
func (s *session) answerText(status int, body, extra string) {
	s.out = append(s.out[:0], "HTTP/1.1 "...)
	s.out = append(strconv.AppendInt(s.out, int64(status), 10), ' ')
	s.out = append(s.out, reason(status)...)
	s.out = append(s.out, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "...)
	s.out = strconv.AppendInt(s.out, int64(len(body)), 10)
	s.out = append(s.out, "\r\n"...)
	s.out = append(s.out, extra...)
	s.out = append(s.out, "\r\n"...)
	if string(s.request.first.of(s.request.buf)) != "HEAD" {
		s.out = append(s.out, body...)
	}
	s.in.SetWriteDeadline(time.Now().Add(headTimeout))
	s.in.Write(s.out)
}

func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 408:
		return "Request Timeout"
	case 413:
		return "Content Too Large"
	case 417:
		return "Expectation Failed"
	case 431:
		return "Request Header Fields Too Large"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Error"
}

// serve answers one request and reports whether the connection may go on.
func (s *session) serve(start time.Time) bool {
	return s.raw.begin() && s.respond(start) && s.raw.finish(s.proxy)
}

// respond finds out who has the answer, and has it given.
func (s *session) respond(start time.Time) bool {
	h := &s.request
	method := h.first.of(h.buf)
	target, path := s.target()
	if string(method) == "CONNECT" || target == nil {
		s.answer(400, "this is no proxy for other hosts", "")
		return false
	}
	if own := s.proxy.Own; own != nil && bytes.HasPrefix(path, ownPaths) {
		if text, ok := own(string(h.host.of(h.buf)), string(path)); ok {
			s.answerText(200, text, "")
			return false
		}
	}
	e := s.proxy.table.Load().match(h.host.of(h.buf), path)
	if e == nil {
		s.answer(404, "no service has this host and path", "")
		return false
	}
	if e.strip && e.path != "" {
		if target = target[len(e.path):]; len(target) == 0 || target[0] != '/' {
			target = append([]byte{'/'}, target...)
		}
	}
	x := &s.exchange
	x.forget()
	x.session, x.pool, x.method, x.target, x.start = s, e.pool, method, target, start
	x.from = e.pool.origin(s.client, h)
	if limit := e.pool.MaxBody; limit > 0 && h.length > limit {
		x.fail(413, tooLarge(limit).Error())
		e.pool.metrics.observe(413, time.Since(start))
		s.linger()
		return false
	}
	again := x.run()
	took := x.over.Sub(start)
	e.pool.metrics.observe(x.status, took)
	if s.proxy.access != nil && e.pool.AccessLog {
		x.log(path, took)
	}
	return again
}

// target is the request's target in origin form, and its path alone. The host
// of an absolute target takes the place of the Host field (RFC 9112, 3.2.2).
func (s *session) target() (target, path []byte) {
	h := &s.request
	target = h.second.of(h.buf)
	if target[0] != '/' && string(target) != "*" {
		at := h.second.from
		_, rest, ok := bytes.Cut(target, []byte("://"))
		if !ok {
			return nil, nil
		}
		at += len(target) - len(rest)
		slash := bytes.IndexAny(rest, "/?")
		if slash < 0 {
			slash = len(rest)
		}
		h.host = span{at, at + slash}
		if target = rest[slash:]; len(target) == 0 || target[0] != '/' {
			target = append([]byte{'/'}, target...)
		}
	}
	path = target
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	return target, path
}

// background is the context of what a session does: it ends with its
// connections, not with a context.
func background() context.Context { return context.Background() }
