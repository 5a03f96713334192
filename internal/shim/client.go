package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/linux/proc"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// ErrLost is returned once the connection to the supervisor is gone. The
// caller calls Ensure again and learns from List what still runs.
var ErrLost = errors.New("connection to the supervisor is lost")

// Client is a connection to the supervisor. Its methods may be called
// concurrently.
type Client struct {
	path string
	info Info
	conn *wire.Conn

	send sync.Mutex // held while a frame is written

	mu      sync.Mutex
	seq     uint64
	pending map[uint64]chan reply
	queue   []Process // exits not yet delivered

	more  chan struct{} // the queue is not empty
	exits chan Process
	lost  chan struct{}
	quit  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

type reply struct {
	err       error
	processes []Process
}

func newClient(path string, conn *wire.Conn, info Info) *Client {
	c := &Client{
		path: path, info: info, conn: conn, pending: map[uint64]chan reply{},
		more: make(chan struct{}, 1), exits: make(chan Process),
		lost: make(chan struct{}), quit: make(chan struct{}),
	}
	c.wg.Go(c.read)
	c.wg.Go(c.deliver)
	return c
}

// Info is what the supervisor said of itself at the connection's beginning.
func (c *Client) Info() Info { return c.info }

// Exits delivers the end of each process once per connection, beginning with
// those that ended before it and are not forgotten. It is closed when the
// connection is lost or the client is closed.
func (c *Client) Exits() <-chan Process { return c.exits }

// Lost is closed when the connection is lost.
func (c *Client) Lost() <-chan struct{} { return c.lost }

// Close ends the connection. Processes go on.
func (c *Client) Close() {
	c.once.Do(func() { close(c.quit); c.conn.Shutdown() })
	c.wg.Wait()
}

// Start runs a process and returns its pid. files are the program's own files;
// they stay open. A step that failed is a *launch.Error, and nothing is left of
// the process then. When ctx ends first the process may have been started.
func (c *Client) Start(ctx context.Context, s Start, files []*os.File) (int, error) {
	if have := max(0, s.Program.Files-launch.OwnFiles); have != len(files) {
		return 0, fmt.Errorf("start %s: %d files given, the program has %d", s.ID, len(files), have)
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var e wire.Encoder
	s.Encode(&e)
	r, err := c.call(ctx, wire.KindStart, e.B, fds)
	if err != nil {
		return 0, err
	}
	if len(r.processes) != 1 {
		return 0, fmt.Errorf("start %s: %w", s.ID, wire.ErrMalformed)
	}
	return r.processes[0].PID, nil
}

// Signal sends a signal to a process. One that has ended is no error.
func (c *Client) Signal(ctx context.Context, id string, sig syscall.Signal) error {
	return c.simple(ctx, wire.KindSignal, id, uint64(sig))
}

// Kill sends SIGKILL to a process and its process group.
func (c *Client) Kill(ctx context.Context, id string) error {
	return c.simple(ctx, wire.KindKill, id)
}

// Resize sets the size of a process's terminal; without one it does nothing.
func (c *Client) Resize(ctx context.Context, id string, width, height uint16) error {
	return c.simple(ctx, wire.KindResize, id, uint64(width), uint64(height))
}

// List returns the processes that run or are not forgotten.
func (c *Client) List(ctx context.Context) ([]Process, error) {
	r, err := c.call(ctx, wire.KindList, nil, nil)
	return r.processes, err
}

// Forget makes the supervisor forget an ended process and close its log and
// streams. An unknown one is no error; one that runs is ErrRunning.
func (c *Client) Forget(ctx context.Context, id string) error {
	return c.simple(ctx, wire.KindForget, id)
}

// ForgetAll forgets all processes that have ended.
func (c *Client) ForgetAll(ctx context.Context) error {
	_, err := c.call(ctx, wire.KindForgetAll, nil, nil)
	return err
}

// Stop ends the supervisor and returns when it has gone. While it holds
// processes, running or not forgotten, it is ErrRunning.
func (c *Client) Stop(ctx context.Context) error {
	if _, err := c.call(ctx, wire.KindStop, nil, nil); err != nil {
		return err
	}
	select {
	case <-c.lost:
		return proc.Wait(ctx, c.info.PID)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) simple(ctx context.Context, kind wire.Kind, id string, numbers ...uint64) error {
	var e wire.Encoder
	e.String(id)
	for _, n := range numbers {
		e.Uint(n)
	}
	_, err := c.call(ctx, kind, e.B, nil)
	return err
}

// call makes a request and waits for its reply.
func (c *Client) call(ctx context.Context, kind wire.Kind, body []byte, files []int) (reply, error) {
	c.mu.Lock()
	c.seq++
	seq, answer := c.seq, make(chan reply, 1)
	c.pending[seq] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, seq)
		c.mu.Unlock()
	}()

	e := wire.Encoder{B: wire.Begin(make([]byte, 0, wire.Header+10+len(body)), kind)}
	e.Uint(seq)
	frame := wire.Finish(append(e.B, body...), 0)
	if len(frame) > wire.MaxFrame {
		return reply{}, fmt.Errorf("request of %d bytes, at most %d", len(frame), wire.MaxFrame)
	}
	c.send.Lock()
	err := c.conn.Send(frame, files)
	c.send.Unlock()
	if err != nil {
		c.conn.Shutdown() // half a frame may have gone out
		return reply{}, fmt.Errorf("%w: %w", ErrLost, err)
	}
	select {
	case r := <-answer:
		return r, r.err
	case <-c.lost:
		select {
		case r := <-answer:
			return r, r.err
		default:
			return reply{}, ErrLost
		}
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// read handles what the supervisor sends until the connection ends.
func (c *Client) read() {
	defer c.conn.Close()
	defer close(c.lost)
	var buf []byte
	for {
		kind, body, next, err := wire.ReadFrame(c.conn, buf, wire.MaxFrame)
		if err != nil {
			return
		}
		buf = next
		d := wire.Decoder{B: body}
		switch kind {
		case wire.KindExit:
			var p Process
			p.Decode(&d)
			if d.Err() != nil {
				return
			}
			c.mu.Lock()
			c.queue = append(c.queue, p)
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
		case wire.KindReply:
			seq := d.Uint(1<<63 - 1)
			r := reply{err: wire.DecodeError(&d), processes: wire.DecodeProcesses(&d)}
			if d.Err() != nil {
				return
			}
			c.mu.Lock()
			answer := c.pending[seq]
			delete(c.pending, seq)
			c.mu.Unlock()
			if answer != nil {
				answer <- r
			}
		}
	}
}

// deliver hands exits on, so that a slow receiver holds up no reply.
func (c *Client) deliver() {
	defer close(c.exits)
	for {
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, p := range queue {
			select {
			case c.exits <- p:
			case <-c.quit:
				return
			}
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-c.more:
		case <-c.lost:
			return
		case <-c.quit:
			return
		}
	}
}
