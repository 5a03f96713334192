package server

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
)

const eventStream = "text/event-stream"

// heartbeat is how often a quiet stream says that it lives, so that a client
// that has gone is noticed.
const heartbeat = 15 * time.Second

// lasting is a context for a call that may last: it ends with the request or
// with the server. done is called when the call is over.
func (s *Server) lasting(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.streams, cancel)
	s.open.Add(1)
	return ctx, func() {
		stop()
		cancel()
		s.open.Done()
	}
}

// eventWriter writes server-sent events. Its methods may be called
// concurrently.
type eventWriter struct {
	mu  sync.Mutex
	w   http.ResponseWriter
	err error // +checklocks:mu of the first write that failed
}

// startEvents sends the head of the answer.
func startEvents(w http.ResponseWriter) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", eventStream)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	return &eventWriter{w: w}
}

// send writes one event and flushes it. name may be "".
func (e *eventWriter) send(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	b := make([]byte, 0, len(data)+len(name)+20)
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	b = append(append(append(b, "data: "...), data...), "\n\n"...)
	return e.write(b)
}

func (e *eventWriter) write(b []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	if _, e.err = e.w.Write(b); e.err == nil {
		e.err = http.NewResponseController(e.w).Flush()
	}
	return e.err
}

// beat sends a comment at intervals until ctx ends.
func (e *eventWriter) beat(ctx context.Context) {
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if e.write([]byte(":\n\n")) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// stream sends every value as an event; an error is the last, named "error".
// The head goes first, so that the client knows that it is connected even when
// there is nothing to say yet.
func stream[T any](ctx context.Context, w http.ResponseWriter, values iter.Seq2[T, error]) error {
	e := startEvents(w)
	ctx, cancel := context.WithCancel(ctx)
	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel()
	beats.Go(func() { e.beat(ctx) })
	for v, err := range values {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			_ = e.send("error", errorOf(err))
			return nil
		}
		if ev, ok := any(v).(api.Event); ok {
			_ = e.write(fmt.Appendf(nil, "id: %d\n", ev.Seq)) // a failure shows in what follows
		}
		if e.send("", v) != nil {
			return nil // the client has gone
		}
	}
	return nil
}

// notNil is list, so that JSON shows an empty one as [].
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
