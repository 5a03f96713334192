package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestASignalEndsACommandThatWaits(t *testing.T) {
	// Who listens here keeps the signal from ending the test before the
	// command listens too.
	here := make(chan os.Signal, 1)
	signal.Notify(here, syscall.SIGHUP)
	t.Cleanup(func() { signal.Reset(interrupts...) })
	ctx := newInterruptible()
	part, cancel := context.WithCancel(ctx) // waits for the end of ctx
	defer cancel()
	if ctx.Err() != nil || part.Err() != nil {
		t.Fatal("a command has ended that nothing ended")
	}
	for end := time.After(time.Minute); ctx.Err() == nil; {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		select {
		case <-end:
			t.Fatal("the signal did not end the command")
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond): // perhaps it did not listen yet
		}
	}
	<-part.Done()
	if !errors.Is(context.Cause(part), context.Canceled) {
		t.Errorf("the command ended with %v", context.Cause(part))
	}
}
