package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Controller is one loop.
type Controller struct {
	Name string
	// Run works until ctx ends. When it returns an error it is run again.
	Run func(ctx context.Context) error
}

// A controller that fails is run again after firstRetry, doubled each time to
// longestRetry, and from the start again when it had run that long.
const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = time.Minute
)

// Run runs all controllers until ctx ends, and returns when they have ended.
func Run(ctx context.Context, log *slog.Logger, all []Controller) {
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { keep(ctx, log.With("controller", c.Name), c) })
	}
	wg.Wait()
}

// keep runs one controller again and again.
func keep(ctx context.Context, log *slog.Logger, c Controller) {
	for failures := 0; ; failures++ {
		began := time.Now()
		err := c.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestRetry {
			failures = 0
		}
		wait := retry(failures)
		log.Error("controller ended", "error", err, "retry", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// retry is the wait after that many failures before this one.
func retry(failures int) time.Duration {
	return min(firstRetry<<min(failures, 20), longestRetry)
}
