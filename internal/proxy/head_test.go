package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestRequestsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		head   string
		status int
	}{
		"two lengths":         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		"length and chunks":   {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"chunks in 1.0":       {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"other coding":        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"coding twice":        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
		"coding in disguise":  {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", 400},
		"negative length":     {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
		"length with sign":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
		"length list":         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
		"no host":             {"GET / HTTP/1.1\r\n\r\n", 400},
		"two hosts":           {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"folded line":         {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400},
		"space before colon":  {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		"bare LF":             {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		"bare LF in a field":  {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
		"CR in a value":       {"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400},
		"NUL in a value":      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n", 400},
		"no target":           {"GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"space in the target": {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"other version":       {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		"other expectation":   {"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417},
		"method is no token":  {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"too many fields":     {"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", 431},
	} {
		var h head
		err := h.parseRequest([]byte(tt.head))
		m, ok := errors.AsType[*malformed](err)
		if !ok || m.status != tt.status {
			t.Errorf("%s: %v, want status %d", name, err, tt.status)
		}
	}
}

func TestRequestHead(t *testing.T) {
	const text = "POST /a?b HTTP/1.1\r\nHost: x.org:80\r\nContent-Length: 5\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\nX-Keep:  v \r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
	var h head
	if err := h.parseRequest([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if h.length != 5 || h.persists() || string(h.host.of(h.buf)) != "x.org:80" || string(h.value("x-keep")) != "v" {
		t.Errorf("%+v", h)
	}
	out := string(appendRequest(nil, &h, h.second.of(h.buf), &asker, false))
	if strings.Contains(out, "X-Drop") || strings.Contains(out, "6.6.6.6") || !strings.Contains(out, "X-Forwarded-For: 192.0.2.1\r\n") || !strings.Contains(out, "X-Keep: v\r\n") {
		t.Errorf("forwarded as %q", out)
	}
}

// What the parser accepts, the standard library reads in the same way.
func FuzzRequestHead(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, b\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.0\r\nContent-Length: 3\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := headEnd(b, 0); n == 0 || n != len(b) {
			return
		}
		var h head
		if h.parseRequest(b) != nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return // stricter about targets and hosts
		}
		if got := len(r.TransferEncoding) > 0; got != h.chunked {
			t.Fatalf("chunked %v here, %v there", h.chunked, got)
		}
		if !h.chunked && h.length >= 0 && r.ContentLength != h.length {
			t.Fatalf("length %d here, %d there", h.length, r.ContentLength)
		}
		if r.Method != string(h.first.of(b)) {
			t.Fatalf("method %q here, %q there", h.first.of(b), r.Method)
		}
		out := appendRequest(nil, &h, h.second.of(h.buf), &asker, false)
		if _, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out))); err != nil && h.hosts > 0 {
			t.Fatalf("forwarded as %q: %v", out, err)
		}
	})
}

func FuzzResponseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 304\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h head
		if n := headEnd(b, 0); n > 0 {
			if status, err := h.parseResponse(b[:n]); err == nil {
				appendResponse(nil, &h, status, h.responseFraming([]byte("GET"), status), true, true, nil)
			}
		}
	})
}

// pieces is a connection that delivers a body in parts of a given size.
type pieces struct {
	net.Conn
	data []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}

// However a chunked body is cut into reads: what comes out is what the
// standard library reads, plain and re-framed, and nothing beyond its end is
// taken.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\nGET"), 1)
	f.Add([]byte("a;x=y\r\n0123456789\r\n1\r\n!\r\n00\r\nTrailer: x\r\n\r\n"), 4)
	f.Fuzz(func(t *testing.T, body []byte, size int) {
		if size < 1 || size > 4096 {
			return
		}
		run := func(unchunk bool) ([]byte, *stream, error) {
			src := newStream(&pieces{data: body, size: size})
			var out bytes.Buffer
			err := copyChunks(&out, src, unchunk, 0)
			return out.Bytes(), src, err
		}
		plain, src, err := run(true)
		framed, _, err2 := run(false)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("plain %v, framed %v", err, err2)
		}
		if err != nil {
			return
		}
		read := func(b []byte) ([]byte, error) {
			r, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.NewReader(b))), nil)
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r.Body)
		}
		if again, err := read(framed); err != nil || !bytes.Equal(again, plain) {
			t.Fatalf("%q passed on as %q reads as %q %v, want %q", body, framed, again, err, plain)
		}
		if left := len(src.buffered()) + len(src.Conn.(*pieces).data); left > len(body) {
			t.Fatalf("%d of %d bytes are left", left, len(body))
		}
	})
}
