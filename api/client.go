package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
)

// DefaultSocket is where the daemon listens unless told otherwise.
const DefaultSocket = "/run/virga/virga.sock"

// Client calls one daemon. It is safe for concurrent use; calls one after the
// other share a connection.
type Client struct {
	// Project owns what is created and listed; "" is the default project.
	Project string
	// Token is sent with each request when set.
	Token Secret

	dial func(context.Context) (net.Conn, error)

	mu   sync.Mutex
	idle []*wire // guarded by mu
}

// Dial makes a client of the daemon that listens on a unix socket. Nothing is
// sent before the first call.
func Dial(socket string) *Client {
	socket = strings.TrimPrefix(socket, "unix://")
	return NewClient(func(context.Context) (net.Conn, error) {
		// Connecting to a unix socket waits for nobody: it needs no
		// Dialer, which is half a millisecond of a command's CPU time.
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
		if err != nil {
			return nil, dialError(socket, err)
		}
		return conn, nil
	})
}

// NewClient makes a client that opens its connections with dial, such as a TLS
// connection to another machine.
func NewClient(dial func(context.Context) (net.Conn, error)) *Client { return &Client{dial: dial} }

// Close closes the connections that no call uses.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.idle {
		_ = w.conn.Close()
	}
	c.idle = nil
	return nil
}

func dialError(socket string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return Errorf(CodeUnavailable, "the daemon does not run at %s", socket).
			WithHint("start it with `virga server`, or name its socket with --socket or VIRGA_SOCKET")
	case errors.Is(err, fs.ErrPermission):
		return Errorf(CodeForbidden, "no permission to use %s", socket).
			WithHint("become root or a member of the group virga")
	}
	return fmt.Errorf("connect to %s: %w", socket, err)
}

// maxIdle bounds the connections kept for later calls.
const maxIdle = 4

// take returns a connection for r: one that is idle, unless r may not be sent
// twice, which one that the daemon has closed meanwhile would need.
func (c *Client) take(ctx context.Context, r request) (*wire, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 && r.ahead == nil {
		w := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return w, nil
	}
	c.mu.Unlock()
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 8<<10)}, nil
}

func (c *Client) give(w *wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= maxIdle {
		_ = w.conn.Close()
		return
	}
	w.used = true
	c.idle = append(c.idle, w)
}

// answer is a response with the connection it arrives on.
type answer struct {
	*response
	wire *wire
	c    *Client
	stop func() bool  // ends the interruption by the context; false after it happened
	sent <-chan error // of a streamed body, or nil
}

// open sends r and returns the answer when its head has come and is not an
// error. The caller closes it.
func (c *Client) open(ctx context.Context, r request) (*answer, error) {
	for {
		w, err := c.take(ctx, r)
		if err != nil {
			return nil, err
		}
		reused := w.used
		a, err := c.exchange(ctx, w, r)
		if err == nil {
			return a, a.problem()
		}
		_ = w.conn.Close()
		// The daemon may have closed a connection that was idle: only a
		// request that may be repeated is.
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !reused || r.method != "GET" {
			return nil, brokenError(err)
		}
	}
}

func (c *Client) exchange(ctx context.Context, w *wire, r request) (*answer, error) {
	a := &answer{wire: w, c: c, stop: w.interruptedBy(ctx)}
	body, err := w.send(r, c.Token)
	if err != nil {
		a.stop()
		return nil, err
	}
	if body != nil {
		sent := make(chan error, 1)
		go func() {
			err := body()
			if e, ok := errors.AsType[*bodyError](err); ok {
				sent <- e.err
				_ = w.conn.Close() // the daemon must not take what was sent for the whole
				return
			}
			sent <- nil // a broken connection is seen by the reader
		}()
		a.sent = sent
	}
	a.response, err = w.receive()
	if err != nil {
		a.stop()
		return nil, a.sendError(err)
	}
	a.keep = a.keep && r.ahead == nil
	return a, nil
}

// sendError prefers the error of the caller's reader to its consequence err.
func (a *answer) sendError(err error) error {
	if a.sent != nil {
		select {
		case e := <-a.sent:
			if e != nil {
				return e
			}
		default:
		}
	}
	return err
}

// Close ends the exchange; the connection is kept if the body was read whole.
func (a *answer) Close() error {
	whole := false
	if a.bodyEnd && a.keep && a.sent == nil {
		n, err := io.CopyN(io.Discard, a.body, 4<<10)
		whole = n < 4<<10 && errors.Is(err, io.EOF)
	}
	if a.stop() && whole {
		a.c.give(a.wire)
		return nil
	}
	return a.wire.conn.Close()
}

// problem returns the error that the answer carries, or nil, and closes it then.
func (a *answer) problem() error {
	if a.status < 400 {
		return nil
	}
	defer a.Close()
	b, _ := io.ReadAll(io.LimitReader(a.body, 64<<10))
	return decodeProblem(a.status, b)
}

// brokenError explains a connection that ended within an exchange.
func brokenError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNRESET) {
		return Errorf(CodeUnavailable, "the daemon closed the connection before it answered").
			WithHint("see the daemon's log; it may have been stopped or restarted")
	}
	return err
}

// call sends in as JSON, unless nil, and reads the answer into out, unless nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	r := request{method: method, target: c.target(path, query)}
	if in != nil {
		b, err := encode(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		r.body = b
	}
	a, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer a.Close()
	if out == nil {
		return nil
	}
	b, err := io.ReadAll(a.body)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return brokenError(err)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("decode answer of %s %s: %w", method, path, err)
	}
	return nil
}

// target is the request target of a path under /v1, with the project.
func (c *Client) target(path string, query url.Values) string {
	if c.Project != "" {
		if query == nil {
			query = url.Values{}
		}
		query.Set("project", c.Project)
	}
	if len(query) == 0 {
		return "/v1" + path
	}
	return "/v1" + path + "?" + query.Encode()
}
