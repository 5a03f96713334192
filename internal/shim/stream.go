package shim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/internal/logs"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// Stream is a client's hold on the standard streams of one process. One
// goroutine may read while others write.
type Stream struct {
	conn *wire.Conn

	send sync.Mutex // held while a frame is written

	output chan piece
	ended  chan struct{} // closed when the process's end, or the stream's, is known
	end    Process
	err    error // why there is no more output
	quit   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

type piece struct {
	stream logs.Stream
	data   []byte
}

// Attach connects to the streams of a process. It may be called before the
// process's Start, and no output is missed then.
func (c *Client) Attach(ctx context.Context, id string) (*Stream, error) {
	conn, err := wire.Dial(c.path)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, conn.Shutdown)
	defer stop()
	var e wire.Encoder
	e.String(id)
	_, err = conn.Write(wire.Frame(wire.KindAttach, e.B))
	if err == nil {
		var kind wire.Kind
		if kind, _, _, err = wire.ReadFrame(conn, nil, 0); err == nil && kind != wire.KindReady {
			err = wire.ErrMalformed
		}
	}
	if err != nil {
		conn.Close()
		return nil, errors.Join(fmt.Errorf("attach to %s: %w", id, err), ctx.Err())
	}
	s := &Stream{
		conn: conn, output: make(chan piece), ended: make(chan struct{}), quit: make(chan struct{}),
	}
	s.wg.Go(s.read)
	return s, nil
}

func (s *Stream) read() {
	defer close(s.ended)
	for {
		// Each piece has its own buffer: it belongs to the reader.
		kind, body, _, err := wire.ReadFrame(s.conn, nil, wire.MaxFrame)
		if err != nil {
			s.err = ErrLost
			return
		}
		p := piece{data: body}
		switch kind {
		case wire.KindStdout:
			p.stream = logs.Stdout
		case wire.KindStderr:
			p.stream = logs.Stderr
		case wire.KindEnd:
			d := wire.Decoder{B: body}
			if s.err = wire.DecodeError(&d); s.err == nil {
				s.err = io.EOF
			}
			s.end.Decode(&d)
			return
		default:
			continue
		}
		select {
		case s.output <- p:
		case <-s.quit:
			s.err = ErrLost
			return
		}
	}
}

// Read returns the next piece of output; io.EOF when the process has ended and
// all of its output was read; ErrLost when the supervisor gave the stream up,
// which it does when output is not read for some seconds; the *launch.Error of
// a process that could not be started.
func (s *Stream) Read(ctx context.Context) (logs.Stream, []byte, error) {
	select {
	case p := <-s.output:
		return p.stream, p.data, nil
	case <-s.ended:
		return 0, nil, s.err
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

// Wait blocks until the process has ended, and returns it. Somebody must Read
// meanwhile: the end comes after all output.
func (s *Stream) Wait(ctx context.Context) (Process, error) {
	select {
	case <-s.ended:
		if s.err == io.EOF {
			return s.end, nil
		}
		return Process{}, s.err
	case <-ctx.Done():
		return Process{}, ctx.Err()
	}
}

// Write sends standard input. It blocks while the process does not read.
func (s *Stream) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		chunk := p[:min(len(p), wire.MaxData)]
		if err := s.put(wire.KindStdin, chunk); err != nil {
			return n, err
		}
		n += len(chunk)
		p = p[len(chunk):]
	}
	return n, nil
}

// CloseStdin ends standard input of a process that was started with StdinOnce.
func (s *Stream) CloseStdin() error { return s.put(wire.KindCloseStdin, nil) }

// Resize sets the size of the terminal.
func (s *Stream) Resize(width, height uint16) error {
	var e wire.Encoder
	e.Uint(uint64(width))
	e.Uint(uint64(height))
	return s.put(wire.KindResize, e.B)
}

// Signal sends a signal to the process, after all input written before.
func (s *Stream) Signal(sig syscall.Signal) error {
	var e wire.Encoder
	e.Uint(uint64(sig))
	return s.put(wire.KindSignal, e.B)
}

func (s *Stream) put(kind wire.Kind, body []byte) error {
	s.send.Lock()
	defer s.send.Unlock()
	if _, err := s.conn.Write(wire.Frame(kind, body)); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// Close lets go of the streams.
func (s *Stream) Close() error {
	s.once.Do(func() { close(s.quit); s.conn.Shutdown() })
	s.wg.Wait()
	return s.conn.Close()
}
