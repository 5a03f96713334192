package controller

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-cloud/virga/internal/control/store"
)

func TestLoopStepsOnChangesAndWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		changes := make(chan store.Change)
		var steps []time.Duration
		fail := 2
		l := &Loop{
			Inputs: []Input{{func(context.Context) <-chan store.Change { return changes }, func(id string) string { return id }}},
			All:    func() []string { return nil },
			Log:    slog.New(slog.DiscardHandler),
			Step: func(_ context.Context, key string) (time.Time, error) {
				steps = append(steps, time.Since(began))
				if fail--; fail >= 0 {
					return time.Time{}, errors.New("not yet")
				}
				if len(steps) == 3 {
					return time.Now().Add(time.Minute), nil
				}
				return time.Time{}, nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		synctest.Wait()
		if len(steps) != 0 {
			t.Fatalf("%d steps without a key", len(steps))
		}
		changes <- store.Change{ID: "a"}
		time.Sleep(time.Hour)
		want := []time.Duration{0, firstRetry, 3 * firstRetry, 3*firstRetry + time.Minute}
		if len(steps) != len(want) {
			t.Fatalf("steps at %v, want %v", steps, want)
		}
		for i := range want {
			if steps[i] != want[i] {
				t.Errorf("step %d at %v, want %v", i, steps[i], want[i])
			}
		}
		cancel()
		close(changes)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFailingControllerIsRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		runs := 0
		began := time.Now()
		Run(ctx, slog.New(slog.DiscardHandler), []Controller{{Name: "bad", Run: func(context.Context) error {
			if runs++; runs == 4 {
				cancel()
			}
			return errors.New("bad")
		}}})
		if took := time.Since(began); runs != 4 || took != 7*firstRetry {
			t.Errorf("%d runs in %v", runs, took)
		}
	})
}
