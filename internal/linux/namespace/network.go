package namespace

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// In runs f on a thread that is in the network namespace ns, and comes back.
// f must not start goroutines that rely on it, nor lock the thread. A nil ns
// is the caller's own.
func In(ns *os.File, f func() error) error {
	if ns == nil {
		return f()
	}
	runtime.LockOSThread()
	own, err := Own()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer own.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer back(own)
	return f()
}

// back returns the thread to its namespace. One that cannot return stays
// locked, so that it ends with its goroutine and serves nobody else.
func back(own *os.File) {
	if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
}

// Own opens the calling thread's network namespace.
func Own() (*os.File, error) { return open("/proc/thread-self/ns/net") }

// NewNet makes a network namespace owned by the caller's user namespace.
func NewNet() (*os.File, error) {
	runtime.LockOSThread()
	own, err := Own()
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer own.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("unshare network namespace: %w", err)
	}
	defer back(own)
	return Own()
}
