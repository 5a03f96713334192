package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/virga-cloud/virga/api"
)

const defaultDetachKeys = "ctrl-p,ctrl-q"

// dialogue is how the command holds a session: which streams and signals go
// through it.
type dialogue struct {
	tty, stdin bool
	keys       []byte // that leave the process running; only typed on a terminal
	proxy      bool   // pass on the signals that the command receives
	streams    streams
}

// streams are those that --attach names; none of them stands for all.
type streams struct{ stdin, stdout, stderr bool }

// parseAttach reads the values of --attach.
func parseAttach(names []string) (s streams, err error) {
	for _, name := range names {
		switch strings.ToLower(name) {
		case "stdin":
			s.stdin = true
		case "stdout":
			s.stdout = true
		case "stderr":
			s.stderr = true
		default:
			return s, api.Invalid("attach", "--attach %q: want stdin, stdout or stderr", name)
		}
	}
	return s, nil
}

// shows reports whether the output of a stream is wanted.
func (s streams) shows(stream api.Stream) bool {
	if s == (streams{}) {
		return true
	}
	if stream == api.StreamStderr {
		return s.stderr
	}
	return s.stdout
}

// inputOnly reports whether the command ends when it has passed on its input.
func (s streams) inputOnly() bool { return s == streams{stdin: true} }

// hold runs the session to its end and returns the process's exit code. The
// terminal is as it was before when it returns.
func (d dialogue) hold(ctx context.Context, a *App, s *api.ClientSession) (status int, err error) {
	defer s.Close()
	if d.tty {
		restore, err := a.enterTerminal(s, d.stdin)
		if err != nil {
			return 0, err
		}
		defer restore()
	}
	if d.proxy {
		defer forwardSignals(ctx, s)()
	}
	detached := make(chan struct{})
	if d.streams.inputOnly() && !d.stdin {
		return 0, nil
	}
	if d.stdin {
		// The reader ends with the process: a blocked read of a terminal
		// or pipe cannot be taken back.
		go d.input(a.In, s, detached)
	}
	status, err = d.output(a, s)
	select {
	case <-detached:
		return 0, nil
	default:
		return status, err
	}
}

// input copies standard input into the session until its end or the detach
// keys, which close the session.
func (d dialogue) input(in io.Reader, s *api.ClientSession, detached chan<- struct{}) {
	keys := detacher{}
	if d.tty {
		keys.keys = d.keys
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		out, left := keys.pass(buf[:n])
		if _, e := s.Write(out); e != nil {
			return // the reader of the session tells why
		}
		if left {
			close(detached)
			_ = s.Close()
			return
		}
		if err != nil {
			_ = s.CloseInput()
			if d.streams.inputOnly() {
				close(detached)
				_ = s.Close()
			}
			return
		}
	}
}

// output copies the session's streams out until the exit code arrives.
func (d dialogue) output(a *App, s *api.ClientSession) (int, error) {
	for {
		stream, data, control, err := s.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return 0, api.Errorf(api.CodeUnavailable, "the session ended without an exit code").
				WithHint("the daemon may have been restarted; see `virga ps -a`")
		case err != nil:
			return 0, err
		case control != nil && control.Error != nil:
			if control.ExitCode != nil {
				return 0, &exitError{*control.ExitCode, control.Error}
			}
			return 0, &exitError{runStatus(control.Error), control.Error}
		case control != nil && control.ExitCode != nil:
			return *control.ExitCode, nil // an auto-removed instance is gone by now
		case control != nil, !d.streams.shows(stream):
		case stream == api.StreamStderr:
			_, err = a.Err.Write(data)
		default:
			_, err = a.Out.Write(data)
		}
		if err != nil {
			return 0, fmt.Errorf("write output: %w", err)
		}
	}
}
