package container

import (
	"context"
	"errors"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/logs"
	"github.com/virga-cloud/virga/internal/shim"
)

// session is an engine.Session on a stream of the supervisor's.
type session struct {
	stream *shim.Stream
	closed func() error // called once, after the stream's end; nil for nothing
	once   sync.Once
}

func (s *session) Read(ctx context.Context) (api.Stream, []byte, error) {
	from, p, err := s.stream.Read(ctx)
	if from == logs.Stderr {
		return api.StreamStderr, p, err
	}
	return api.StreamStdout, p, err
}

func (s *session) Write(p []byte) (int, error) { return s.stream.Write(p) }

func (s *session) CloseStdin() error { return s.stream.CloseStdin() }

func (s *session) Resize(w api.WindowSize) error { return s.stream.Resize(w.Width, w.Height) }

func (s *session) Signal(_ context.Context, name string) error {
	n, err := parseSignal(name)
	if err != nil {
		return err
	}
	return s.stream.Signal(syscall.Signal(n))
}

func (s *session) Wait(ctx context.Context) (int, error) {
	p, err := s.stream.Wait(ctx)
	return exitCode(p.Status), err
}

func (s *session) Close() (err error) {
	s.once.Do(func() {
		err = s.stream.Close()
		if s.closed != nil {
			err = errors.Join(err, s.closed())
		}
	})
	return err
}
