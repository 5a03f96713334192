package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/virga-cloud/virga/internal/control/store"
)

// Loop takes a step for a key whenever something about it changes, or when the
// step before asked for another one. It polls nothing. Steps are taken one at
// a time; changes that come meanwhile are remembered once for each key.
type Loop struct {
	Inputs []Input
	// All lists every key there is; each is looked at when the loop starts and
	// when an input was too fast to be followed.
	All func() []string
	// Step brings one key nearer to what it should be. wake is when time alone
	// makes another step necessary; zero is never. After an error the step is
	// taken again, later each time.
	Step func(ctx context.Context, key string) (wake time.Time, err error)
	Log  *slog.Logger

	mu      sync.Mutex
	pending map[string]struct{} // +checklocks:mu
	signal  chan struct{}       // +checklocks:mu of one: something is pending

	wakes    map[string]time.Time // when to look at a key
	failures map[string]int       // steps of a key that failed in a row
}

// Input is a table whose changes concern keys.
type Input struct {
	Watch func(context.Context) <-chan store.Change
	// Key is what a change of the object with that id concerns, "" for
	// nothing.
	Key func(id string) string
}

// Run works until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	signal := l.signalled()
	l.wakes, l.failures = map[string]time.Time{}, map[string]int{}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, in := range l.Inputs {
		changes := in.Watch(ctx) // before All: nothing is missed
		wg.Go(func() { l.follow(ctx, in, changes) })
	}
	l.ask(l.All()...)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(l.untilWake(time.Now()))
		select {
		case <-ctx.Done():
			return nil
		case <-signal:
		case <-timer.C:
		}
		for _, key := range l.due(time.Now()) {
			if ctx.Err() != nil {
				return nil
			}
			l.step(ctx, key)
		}
	}
}

// follow asks for a step for every change of one input.
func (l *Loop) follow(ctx context.Context, in Input, changes <-chan store.Change) {
	for {
		for c := range changes {
			if key := in.Key(c.ID); key != "" {
				l.ask(key)
			}
		}
		if ctx.Err() != nil {
			return
		}
		changes = in.Watch(ctx)
		l.ask(l.All()...)
	}
}

// ask asks for a step for each key.
func (l *Loop) ask(keys ...string) {
	signal := l.signalled()
	l.mu.Lock()
	for _, k := range keys {
		l.pending[k] = struct{}{}
	}
	l.mu.Unlock()
	select {
	case signal <- struct{}{}:
	default: // it is signalled already
	}
}

// signalled is the channel that says that something is pending. It is there
// before Run, so that nothing asked for then is lost.
func (l *Loop) signalled() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signal == nil {
		l.pending, l.signal = map[string]struct{}{}, make(chan struct{}, 1)
	}
	return l.signal
}

// due takes the keys that changed and those whose time has come.
func (l *Loop) due(now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, at := range l.wakes {
		if !at.After(now) {
			l.pending[key] = struct{}{}
		}
	}
	keys := make([]string, 0, len(l.pending))
	for key := range l.pending {
		keys = append(keys, key)
		delete(l.wakes, key)
	}
	clear(l.pending)
	return keys
}

func (l *Loop) step(ctx context.Context, key string) {
	wake, err := l.Step(ctx, key)
	if err != nil && ctx.Err() == nil {
		wait := retry(l.failures[key])
		l.failures[key]++
		l.wakes[key] = time.Now().Add(wait)
		l.Log.Error("step failed", "key", key, "error", err, "retry", wait)
		return
	}
	delete(l.failures, key)
	if !wake.IsZero() {
		l.wakes[key] = wake
	}
}

// untilWake is the time to the next wake; an hour when there is none.
func (l *Loop) untilWake(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	for _, at := range l.wakes {
		if at.Before(next) {
			next = at
		}
	}
	return max(0, next.Sub(now))
}
