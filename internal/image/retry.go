package image

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	retryAttempts = 5
	retryPause    = 200 * time.Millisecond // doubled each time
)

// retry calls f until it succeeds, its failure is final or attempts are used up.
func retry(ctx context.Context, f func() error) error {
	pause := retryPause
	for n := 1; ; n++ {
		err := f()
		if err == nil || n == retryAttempts || !transient(ctx, err) {
			return err
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transient says whether the same request may go well a moment later.
func transient(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	if _, ok := asRefusal(err); ok {
		return false
	}
	if _, ok := errors.AsType[*diskError](err); ok {
		return false
	}
	if t, ok := errors.AsType[*transport.Error](err); ok {
		return t.StatusCode >= 500 || t.StatusCode == http.StatusTooManyRequests || t.StatusCode == http.StatusRequestTimeout
	}
	return true // the network
}

// diskError marks a failure of the node's own disk among those of the network.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }
