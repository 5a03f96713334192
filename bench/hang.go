package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Peers hang at times, podman for many seconds. A hang costs its own sample
// and is told beside the figure; it neither ends the benchmark nor counts as
// slowness.
var errHung = errors.New("it hung and was ended")

// hangs counts those of one peer. It may be used concurrently.
type hangs struct{ n atomic.Int64 }

// within does something that a peer takes no longer than limit for, unless it
// hangs.
func (h *hangs) within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		h.n.Add(1)
		return fmt.Errorf("%w after %v", errHung, limit)
	}
	return err
}

// told is the peer's name with its hangs.
func (h *hangs) told(name string) string {
	if n := h.n.Load(); n > 0 {
		return fmt.Sprintf("%s (%d hung)", name, n)
	}
	return name
}
