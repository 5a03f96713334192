package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/coder/websocket"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// pump moves a session's streams between a client and a process.
type pump struct {
	conn    *websocket.Conn
	session engine.Session
}

// control sends a message beside the streams. A client that has gone is
// noticed by who reads from it.
func (p *pump) control(ctx context.Context, c api.SessionControl) {
	if b, err := json.Marshal(c); err == nil {
		_ = p.conn.Write(ctx, websocket.MessageText, b)
	}
}

// replay sends lines of a log as output.
func (p *pump) replay(ctx context.Context, lines iter.Seq2[api.LogLine, error]) {
	for l, err := range lines {
		if err != nil {
			return
		}
		stream := api.StreamStdout
		if l.Stream == "stderr" {
			stream = api.StreamStderr
		}
		text := l.Text
		if !l.Partial {
			text += "\n"
		}
		if p.output(ctx, stream, []byte(text)) != nil {
			return
		}
	}
}

func (p *pump) output(ctx context.Context, s api.Stream, data []byte) error {
	msg := make([]byte, 0, len(data)+1)
	return p.conn.Write(ctx, websocket.MessageBinary, append(append(msg, byte(s)), data...))
}

// run moves the streams until the process has ended and all its output is
// sent, and returns the last message; nil when the client left.
func (p *pump) run(ctx context.Context, wait func(context.Context) (int, error)) *api.SessionControl {
	ctx, cancel := context.WithCancel(ctx)
	var input sync.WaitGroup
	left := make(chan struct{})
	// Reads are not ended by ctx, which would close the connection before the
	// last message: conn's end ends them.
	input.Go(func() {
		defer close(left)
		p.input(context.WithoutCancel(ctx))
	})
	var output sync.WaitGroup
	output.Go(func() { p.copyOutput(ctx) })
	type exit struct {
		code int
		err  error
	}
	ended := make(chan exit, 1)
	output.Go(func() {
		code, err := wait(ctx)
		ended <- exit{code, err}
	})
	defer func() {
		cancel()
		output.Wait()
	}()
	select {
	case e := <-ended:
		if e.err != nil {
			return &api.SessionControl{Error: errorOf(e.err)}
		}
		output.Wait() // all of the output before the exit code
		return &api.SessionControl{ExitCode: &e.code}
	case <-left:
		return nil
	case <-ctx.Done():
		return nil
	}
}

func (p *pump) copyOutput(ctx context.Context) {
	for {
		s, data, err := p.session.Read(ctx)
		if len(data) > 0 && p.output(ctx, s, data) != nil {
			return
		}
		if err != nil {
			return // io.EOF, or ctx has ended
		}
	}
}

// input handles what the client sends until it leaves.
func (p *pump) input(ctx context.Context) {
	for {
		kind, msg, err := p.conn.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageText {
			c, err := parseControl(msg)
			if err != nil {
				p.control(ctx, api.SessionControl{Error: errorOf(err)})
				continue
			}
			p.obey(ctx, c)
			continue
		}
		if len(msg) == 0 || api.Stream(msg[0]) != api.StreamStdin {
			continue
		}
		if len(msg) == 1 {
			_ = p.session.CloseStdin()
			continue
		}
		if _, err := p.session.Write(msg[1:]); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			continue // the process has closed its input; its end is told by its exit
		}
	}
}

func (p *pump) obey(ctx context.Context, c api.SessionControl) {
	if c.Resize != nil {
		_ = p.session.Resize(*c.Resize)
	}
	if c.Signal != "" {
		_ = p.session.Signal(ctx, c.Signal)
	}
}

// parseControl reads a client's message beside the streams.
func parseControl(msg []byte) (api.SessionControl, error) {
	var c api.SessionControl
	if err := json.Unmarshal(msg, &c); err != nil {
		return c, api.Errorf(api.CodeInvalid, "control message: %v", err)
	}
	return c, nil
}

// end sends the last message, if there is one, and closes the connection.
func (p *pump) end(ctx context.Context, last *api.SessionControl) {
	if last == nil {
		_ = p.conn.CloseNow()
		return
	}
	p.control(ctx, *last)
	_ = p.conn.Close(websocket.StatusNormalClosure, "")
}
