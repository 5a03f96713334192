package proc

import (
	"os"

	"golang.org/x/sys/unix"
)

// Open returns a pidfd.
func Open(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open process", Path: path(pid, ""), Err: err}
	}
	return os.NewFile(uintptr(fd), path(pid, "")), nil
}

// Root opens the root directory that a process sees, with all its mounts.
func Root(pid int) (*os.File, error) {
	fd, err := unix.Open(path(pid, "root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path(pid, "root"), Err: err}
	}
	return os.NewFile(uintptr(fd), path(pid, "root")), nil
}
