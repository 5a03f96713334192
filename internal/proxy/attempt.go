package proxy

import (
	"errors"
	"io"
	"time"
)

// streamSilence is how long a backend may be silent within an answer: events
// may be far apart, but not for ever.
const streamSilence = 10 * time.Minute

// attempt sends the request to b and copies the answer.
func (x *exchange) attempt(b *backend, now time.Time, sticky string) (again bool, err error) {
	up, used, err := b.take(background(), now, x.pool.ConnectTimeout, !x.idempotent())
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
	status := 0
	if err = x.send(now); err == nil {
		status, err = x.readAnswer()
	}
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

// send writes the request's head with what there is of its body, then the rest,
// and begins to wait for the answer.
func (x *exchange) send(now time.Time) error {
	h := &x.request
	x.out = appendRequest(x.out[:0], h, x.target, &x.from, x.secure)
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
	if framing == none || framing == counted && left == 0 {
		x.up.readWithin(now, x.pool.HeadTimeout)
		return x.up.ask(x.out)
	}
	if _, err := x.up.Write(x.out); err != nil {
		return err
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
	x.up.readWithin(time.Now(), x.pool.HeadTimeout)
	return err
}

// readAnswer reads the head of the final answer; interim ones are left out.
func (x *exchange) readAnswer() (int, error) {
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
	dst := &x.answers
	*dst = answers{session: x.session}
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
