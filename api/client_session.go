package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/virga-cloud/virga/api/ws"
)

// ClientSession is the client's end of an attach or an exec. One goroutine may
// receive while others send.
type ClientSession struct {
	ws   *ws.Conn
	stop func() bool
	ctx  context.Context
}

// AttachOptions choose how to attach.
type AttachOptions struct {
	// Start starts the instance once the streams are connected.
	Start bool
	// Logs replays what the instance has already written.
	Logs bool
}

// Attach connects to the first process of an instance. The session ends with
// ctx.
func (c *Client) Attach(ctx context.Context, id string, o AttachOptions) (*ClientSession, error) {
	q := flag("start", o.Start)
	if o.Logs {
		q.Set("logs", "true")
	}
	return c.session(ctx, "/instances/"+esc(id)+"/attach", q, nil)
}

// Run creates an instance, connects to its first process and starts it, in one
// call. It returns the id with the session once the instance is stored; that it
// cannot be created is an error, that it cannot be started is told by the
// session.
func (c *Client) Run(ctx context.Context, r CreateRequest) (*ClientSession, string, error) {
	b, err := encode(r)
	if err != nil {
		return nil, "", fmt.Errorf("encode request: %w", err)
	}
	s, err := c.session(ctx, "/run", nil, b)
	if err != nil {
		return nil, "", err
	}
	id, err := s.made()
	if err != nil {
		_ = s.Close()
		return nil, "", err
	}
	return s, id, nil
}

// made waits until the instance is stored and returns its id.
func (s *ClientSession) made() (string, error) {
	_, _, control, err := s.Receive()
	switch {
	case err != nil:
		return "", brokenError(err)
	case control != nil && control.Error != nil:
		return "", control.Error
	case control == nil || control.Instance == "":
		return "", Errorf(CodeInternal, "the daemon began a session with something else than the instance")
	}
	return control.Instance, nil
}

// Exec runs a process in a running instance and connects to it.
func (c *Client) Exec(ctx context.Context, id string, spec ExecSpec) (*ClientSession, error) {
	b, err := encode(spec)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return c.session(ctx, "/instances/"+esc(id)+"/exec", nil, b)
}

// session opens a session whose first message, unless nil, goes out with the
// request: a round trip less.
func (c *Client) session(ctx context.Context, path string, q url.Values, first []byte) (*ClientSession, error) {
	key := ws.NewKey()
	r := request{method: "GET", target: c.target(path, q), header: "Connection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"}
	if first != nil {
		r.ahead = ws.Append(nil, ws.Text, first)
	}
	a, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != 101 || a.accept != ws.Accept(key) {
		_ = a.wire.conn.Close()
		a.stop()
		return nil, Errorf(CodeInternal, "the daemon refused to open a session (status %d)", a.status)
	}
	return &ClientSession{ws: ws.New(a.wire.conn, a.wire.r), stop: a.stop, ctx: ctx}, nil
}

// Receive returns the next piece of output, valid until the next call, or a
// control message. It returns io.EOF when the daemon ended the session.
func (s *ClientSession) Receive() (Stream, []byte, *SessionControl, error) {
	kind, msg, err := s.ws.Read()
	if err != nil {
		if s.ctx.Err() != nil {
			return 0, nil, nil, context.Cause(s.ctx)
		}
		if errors.Is(err, io.EOF) {
			return 0, nil, nil, io.EOF
		}
		return 0, nil, nil, fmt.Errorf("session: %w", err)
	}
	if kind == ws.Text {
		c := new(SessionControl)
		if err := json.Unmarshal(msg, c); err != nil {
			return 0, nil, nil, fmt.Errorf("session: decode control message: %w", err)
		}
		return 0, nil, c, nil
	}
	if len(msg) == 0 {
		return 0, nil, nil, errors.New("session: empty message")
	}
	return Stream(msg[0]), msg[1:], nil, nil
}

// Write sends standard input.
func (s *ClientSession) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // an empty message would close standard input
	}
	return len(p), s.ws.Write(ws.Binary, []byte{byte(StreamStdin)}, p)
}

// CloseInput ends standard input.
func (s *ClientSession) CloseInput() error {
	return s.ws.Write(ws.Binary, []byte{byte(StreamStdin)})
}

// Resize tells the terminal's size.
func (s *ClientSession) Resize(w WindowSize) error { return s.control(SessionControl{Resize: &w}) }

// Signal sends a signal to the process.
func (s *ClientSession) Signal(name string) error { return s.control(SessionControl{Signal: name}) }

func (s *ClientSession) control(c SessionControl) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.ws.Write(ws.Text, b)
}

// Close leaves the session; an attached process goes on.
func (s *ClientSession) Close() error {
	s.stop()
	return s.ws.Close()
}
