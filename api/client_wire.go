package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// The client speaks HTTP/1.1 itself. net/http would add a third to the start
// of the command, and two goroutines and half a millisecond to its first call.

var errHTTP = errors.New("malformed HTTP response")

// wire is one connection to the daemon. One exchange uses it at a time.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	used bool // it has served an exchange before
}

// request is one call before it is sent.
type request struct {
	method, target string
	header         string    // further lines, each with its CRLF
	body           []byte    // JSON, or nil
	stream         io.Reader // instead of body: sent in chunks
	// ahead goes out with an Upgrade, for the protocol that follows. A daemon
	// that refuses takes it for another request: the connection ends with the answer.
	ahead []byte
}

// response is the head of an answer and its body to be read.
type response struct {
	status  int
	kind    string // media type
	accept  string // Sec-WebSocket-Accept
	body    io.Reader
	keep    bool // the connection can be used again after the body
	bodyEnd bool // the body has a known end
}

// send writes the request. A streamed body is sent by the returned function,
// which the caller runs beside reading the answer.
func (w *wire) send(r request, token Secret) (func() error, error) {
	var b bytes.Buffer
	b.WriteString(r.method + " " + r.target + " HTTP/1.1\r\nHost: virga\r\n")
	if token != "" {
		b.WriteString("Authorization: Bearer " + string(token) + "\r\n")
	}
	b.WriteString(r.header)
	switch {
	case r.stream != nil:
		b.WriteString("Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	case r.body != nil:
		b.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(r.body)) + "\r\n\r\n")
		b.Write(r.body)
	case r.method == "GET":
		b.WriteString("\r\n")
		b.Write(r.ahead)
	default:
		b.WriteString("Content-Length: 0\r\n\r\n")
	}
	if _, err := w.conn.Write(b.Bytes()); err != nil || r.stream == nil {
		return nil, err
	}
	return func() error { return writeChunks(w.conn, r.stream) }, nil
}

// receive reads the head of the answer.
func (w *wire) receive() (*response, error) {
	for {
		res, err := w.head()
		if err != nil {
			return nil, err
		}
		if res.status >= 200 || res.status == 101 {
			return res, nil
		}
	}
}

func (w *wire) head() (*response, error) {
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || len(rest) < 3 {
		return nil, errHTTP
	}
	status, err := strconv.Atoi(rest[:3])
	if err != nil || status < 100 {
		return nil, errHTTP
	}
	res := &response{status: status, keep: true}
	length, chunks := int64(-1), false
	for n := 0; ; n++ {
		line, err := w.line()
		if err != nil {
			return nil, unexpectedEOF(err)
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || n > 100 {
			return nil, errHTTP
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.ParseInt(value, 10, 64); err != nil || length < 0 {
				return nil, errHTTP
			}
		case "transfer-encoding":
			chunks = strings.EqualFold(value, "chunked")
		case "connection":
			res.keep = !strings.EqualFold(value, "close")
		case "content-type":
			res.kind, _, _ = strings.Cut(value, ";")
		case "sec-websocket-accept":
			res.accept = value
		}
	}
	w.setBody(res, length, chunks)
	return res, nil
}

func (w *wire) setBody(res *response, length int64, chunks bool) {
	res.bodyEnd = true
	switch {
	case res.status < 200 || res.status == 204 || res.status == 304:
		res.body = bytes.NewReader(nil)
	case chunks:
		res.body = &chunkReader{r: w.r}
	case length >= 0:
		res.body = &exactReader{r: w.r, left: length}
	default:
		res.body, res.keep, res.bodyEnd = w.r, false, false
	}
}

// line reads one line of the head, without its end. Lines longer than the
// reader's buffer are refused.
func (w *wire) line() (string, error) {
	b, err := w.r.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return "", errHTTP
		}
		return "", err
	}
	return string(bytes.TrimRight(b, "\r\n")), nil
}

// interruptedBy makes blocked reads and writes of w fail when ctx ends, until
// the returned function is called; that reports whether ctx had not ended.
func (w *wire) interruptedBy(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = w.conn.SetDeadline(time.Unix(1, 0)) })
}

func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
