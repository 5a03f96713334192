package container

import (
	"context"
	"time"

	"github.com/virga-cloud/virga/internal/engine"
)

// reconnect goes on after the connection to the supervisor broke. When it was
// the supervisor itself that died, nobody holds the streams and exit statuses
// of what it had started: those instances are ended and reported as lost.
func (e *Engine) reconnect(ctx context.Context) bool {
	e.Log.Warn("supervisor lost")
	e.supervisor().Close()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		client, err := e.Connect(ctx)
		if err == nil {
			e.mu.Lock()
			e.client = client
			e.mu.Unlock()
			if err = e.endLost(ctx); err == nil {
				return true
			}
		}
		e.Log.Error("connect to supervisor", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// endLost ends every instance that the supervisor does not know.
func (e *Engine) endLost(ctx context.Context) error {
	all, err := e.supervisor().List(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range all {
		known[p.ID] = true
	}
	e.mu.Lock()
	lost := map[string]life{}
	for instance, l := range e.running {
		if !known[processID(instance, l.number)] {
			lost[instance] = l
		}
	}
	e.mu.Unlock()
	for instance, l := range lost {
		if err := e.cgroups.Group(instance).Kill(ctx); err != nil {
			return err
		}
		e.ended(instance, l.number)
		const unknown = 255
		e.report(ctx, engine.Exit{Instance: instance, Life: l.number, Code: unknown, Time: time.Now(), Lost: true})
	}
	return nil
}
