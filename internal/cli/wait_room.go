package cli

import (
	"context"
	"fmt"
	"time"
)

// askAfter is how long a start may take before its user is told why.
const askAfter = time.Second

// tellWait tells the user what an instance waits for that is about to be
// started, until the function returned is called.
func (a *App) tellWait(ctx context.Context, id string) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	first := time.AfterFunc(askAfter, func() {
		defer close(ended)
		for told := ""; ; {
			in, err := a.api().Instance(ctx, id)
			if err != nil || in.Desired.Waits == nil || in.Status.Life >= in.Desired.Life {
				return
			}
			if why := in.Desired.Waits.Reason; why != told {
				fmt.Fprintf(a.Err, "%s: %s\n", in.Name, why)
				told = why
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(askAfter):
			}
		}
	})
	return func() {
		cancel()
		if !first.Stop() {
			<-ended
		}
	}
}
