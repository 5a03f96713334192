package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts are the signals that end a command.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// interruptible is the context of a command, which a signal ends once somebody
// has asked for that end. Until then nobody could act on it, and the signal's
// own effect, which ends the process, is the right one. So a command that
// waits for nothing does not listen; and one that waits does not wait for
// listening to begin, which takes the Go runtime threads of its own and longer
// than most calls of the daemon.
type interruptible struct {
	context.Context
	listen func()
}

func newInterruptible() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	return &interruptible{ctx, sync.OnceFunc(func() {
		go func() {
			got := make(chan os.Signal, 1)
			signal.Notify(got, interrupts...)
			<-got
			cancel()
		}()
	})}
}

// unlistened is ctx without the beginning to listen: for a wait that a signal may
// end together with the process. Where something else has begun to listen, a
// signal ends it too.
func unlistened(ctx context.Context) context.Context {
	if c, ok := ctx.(*interruptible); ok {
		return c.Context
	}
	return ctx
}

// Done begins to listen.
func (c *interruptible) Done() <-chan struct{} {
	c.listen()
	return c.Context.Done()
}
