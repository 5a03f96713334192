package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// initialize is process 1 of an instance that asked for an init: it runs argv
// as its child, forwards signals to it, reaps what falls to it, and ends as
// the child does.
func initialize(argv []string) int {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return initFailed(err)
	}
	// The child leads a process group and, when there is a terminal, has it.
	_, notTTY := unix.IoctlGetTermios(0, unix.TCGETS)
	child, err := os.StartProcess(path, argv, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: notTTY == nil},
	})
	if err != nil {
		return initFailed(err)
	}
	for sig := range signals {
		switch sig {
		case unix.SIGCHLD:
			if code, over := reapUntil(child.Pid); over {
				return code
			}
		case unix.SIGURG: // the runtime's own
		case unix.SIGTTIN, unix.SIGTTOU:
		default:
			_ = unix.Kill(child.Pid, sig.(syscall.Signal))
		}
	}
	return 1
}

// reapUntil reaps all that have ended, and returns the exit code of pid when
// it is among them.
func reapUntil(pid int) (code int, over bool) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || got <= 0:
			return code, over
		case got == pid && status.Signaled():
			code, over = 128+int(status.Signal()), true
		case got == pid:
			code, over = status.ExitStatus(), true
		}
	}
}

func initFailed(err error) int {
	fmt.Fprintln(os.Stderr, "virga-shim init:", err)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return 127
	}
	return 126
}
