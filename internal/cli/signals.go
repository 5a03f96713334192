package cli

import (
	"context"
	"os"
	"os/signal"
	"strconv"
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
// is called. It returns when those that end a command are the session's; the
// others follow, as each costs the Go runtime two changes of threads.
func forwardSignals(ctx context.Context, s *api.ClientSession) (stop func()) {
	got := make(chan os.Signal, 16)
	signal.Notify(got, interrupts...)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for sig := range signalNames {
			signal.Notify(got, sig)
		}
		for {
			select {
			case sig := <-got:
				_ = s.Signal(signalName(sig)) // the reader sees a broken session
			case <-ctx.Done():
				// The command is about to end: nobody waits for this.
				signal.Stop(got)
				return
			}
		}
	}()
	return cancel
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
