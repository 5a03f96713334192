package launch

import "syscall"

// Error is a step that failed. The process is gone and left nothing behind.
type Error struct {
	Step  int    // index in Program.Steps
	Name  string // the step's Name
	Errno uint16
	// Exec says that the step was the execve itself, so that everything
	// before it had succeeded.
	Exec bool
}

func (e *Error) Error() string { return e.Name + ": " + syscall.Errno(e.Errno).Error() }

// Unwrap lets errors.Is compare with an errno.
func (e *Error) Unwrap() error { return syscall.Errno(e.Errno) }

// ExitCode is the exit code that shells and Docker give a command that could
// not be executed: 127 when it was not found, 126 when it is no program. It is
// 0 when another step failed.
func (e *Error) ExitCode() int {
	if !e.Exec {
		return 0
	}
	switch syscall.Errno(e.Errno) {
	case syscall.ENOENT, syscall.ENOTDIR:
		return 127
	}
	return 126
}
