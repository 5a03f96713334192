package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
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

// listens is a context of a command that counts how often somebody asked for its
// end.
func listens(ctx context.Context, asked *int) context.Context {
	return &interruptible{ctx, func() { *asked++ }}
}

func TestRunListensWhenTheSignalsEffectIsNotEnough(t *testing.T) {
	for name, c := range map[string]struct {
		here bool // the image
		args []string
		want bool
	}{
		"signals are the workload's": {true, []string{"run", "debian:12"}, false},
		"signals are the command's":  {true, []string{"run", "--sig-proxy=false", "debian:12"}, true},
		"an image is pulled":         {false, []string{"run", "debian:12"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.session = ended(0, "")
			if c.here {
				f.images = []api.Image{{Names: []string{"debian:12"}}}
			}
			asked := 0
			a := &App{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Env: f.env}
			if status := a.Run(listens(t.Context(), &asked), c.args); status != 0 {
				t.Fatalf("status %d", status)
			}
			if (asked > 0) != c.want {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestUnlistenedEndsWithTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	rest := unlistened(listens(ctx, &asked))
	if rest.Done() == nil || asked > 0 {
		t.Errorf("asked %d times", asked)
	}
	cancel()
	if rest.Err() == nil {
		t.Error("it goes on when the command has ended")
	}
}
