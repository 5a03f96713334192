package cli

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

// signalNames are the signals that are passed on. Those that a terminal or the
// runtime makes for the command itself (CHLD, PIPE, URG, WINCH) are not.
var signalNames = map[os.Signal]string{
	syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGTERM: "SIGTERM",
	syscall.SIGUSR1: "SIGUSR1", syscall.SIGUSR2: "SIGUSR2", syscall.SIGALRM: "SIGALRM", syscall.SIGCONT: "SIGCONT",
	syscall.SIGVTALRM: "SIGVTALRM", syscall.SIGIO: "SIGIO", syscall.SIGPWR: "SIGPWR",
}

// forwardSignals passes signals on to the session until the returned function
// is called.
func forwardSignals(ctx context.Context, s *api.ClientSession) (stop func()) {
	got := make(chan os.Signal, 16)
	for sig := range signalNames {
		signal.Notify(got, sig)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case sig := <-got:
				_ = s.Signal(signalName(sig)) // the reader sees a broken session
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(got)
		cancel()
		wg.Wait()
	}
}

func signalName(sig os.Signal) string {
	if n, ok := signalNames[sig]; ok {
		return n
	}
	if n, ok := sig.(syscall.Signal); ok {
		return strconv.Itoa(int(n))
	}
	return sig.String()
}
