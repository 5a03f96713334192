package node

import (
	"context"
	"fmt"
	"time"
)

// clearTick is how often Clear looks whether everything is gone.
const clearTick = 20 * time.Millisecond

// Clear ends every life on the node and gives everything back. It is for an
// agent over an empty store, for which nothing has an owner, and runs beside
// Run once that is ready. It returns when nothing is left, or when ctx ends.
func (a *Agent) Clear(ctx context.Context) error {
	for {
		lives, err := a.Engine.Lives(ctx)
		if err != nil {
			return err
		}
		if len(lives) == 0 {
			r, err := a.Check(ctx, true)
			if err != nil {
				return err
			}
			if r.Stale == r.Repaired {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d instances would not end: %w", len(lives), ctx.Err())
		case <-time.After(clearTick):
		}
	}
}
