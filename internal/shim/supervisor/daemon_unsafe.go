package supervisor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// daemonize starts the supervisor of dir in a session of its own and returns
// when it listens. So the caller's child has ended then and leaves no zombie,
// and signals to the caller's group or terminal do not reach the supervisor.
func daemonize(binary, dir string) error {
	log, err := openLog(filepath.Join(dir, "shim.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	child, err := os.StartProcess(binary, []string{"virga-shim", "supervise", dir}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: []*os.File{null, log, log, w},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	w.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", binary, err)
	}
	defer func() { _ = child.Release() }()
	said, err := io.ReadAll(io.LimitReader(r, 4096))
	if err == nil && string(said) != "ok" {
		err = fmt.Errorf("%s", strings.TrimSpace(string(said)))
	}
	return err
}

// openLog opens the supervisor's own log, which a start begins anew when it
// has grown.
func openLog(path string) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > 1<<20 {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600)
}

// supervise is the supervisor. Descriptor 3 takes "ok" once it listens, or
// what went wrong.
func supervise(dir string) error {
	unix.CloseOnExec(3)
	ready := os.NewFile(3, "ready")
	l, err := prepare(dir)
	if err != nil {
		fmt.Fprint(ready, err)
		ready.Close()
		return err
	}
	fmt.Fprint(ready, "ok")
	ready.Close()

	binary, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	log.Info("supervisor started", "pid", os.Getpid(), "dir", dir)
	s := New(Config{Log: log, Build: filepath.Base(binary)})
	if err := s.Run(context.Background(), l); err != nil {
		return err
	}
	log.Info("supervisor stopped", "pid", os.Getpid())
	return nil
}

func prepare(dir string) (*Listener, error) {
	unix.Umask(0o022)
	defaultSignals()
	// A process that joins a container's namespaces still shares this memory
	// until it executes: nothing in the container may look into it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl dumpable: %w", err)
	}
	// Orphans of instances without a PID namespace fall to the supervisor.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl subreaper: %w", err)
	}
	return Listen(dir)
}

// defaultSignals makes the supervisor deaf to what ends the daemon's group. The
// signals are caught and not ignored, because what is ignored stays so in
// every process that is started.
func defaultSignals() {
	unheard := make(chan os.Signal, 1)
	for n := 1; n < 32; n++ {
		switch sig := syscall.Signal(n); sig {
		case unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE, unix.SIGUSR1, unix.SIGUSR2,
			unix.SIGTTIN, unix.SIGTTOU, unix.SIGTSTP, unix.SIGALRM:
			signal.Notify(unheard, sig)
		}
	}
}
