package launch

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrKilled is returned when the child was killed before it could go on.
var ErrKilled = errors.New("the process was killed while it was being started")

// Run executes p in a new process and returns its pid once the process has
// executed another program or ended. files are the descriptors that accompany
// p, standard streams first; they stay open. The process is a child of the
// caller, which reaps it. A step that fails is an *Error, and the process is
// reaped then.
//
// Run may be called concurrently. Everything open in the caller is expected to
// be close-on-exec, so no lock is held against other forks. Signals that the
// caller ignores stay ignored in the process.
func Run(p *Program, files []int) (pid int, err error) {
	if err := p.Validate(); err != nil {
		return 0, err
	}
	if len(files) != p.Files {
		return 0, fmt.Errorf("program: %d files given, %d needed", len(files), p.Files)
	}
	f := newFrame(p, files)
	f.words[framePidfd] = ^uint64(0)

	// A signal must not reach the child while it shares the parent's memory.
	runtime.LockOSThread()
	old := setMask(^uint64(0))
	first := f.spawn()
	setMask(old)
	runtime.UnlockOSThread()
	if first < 0 {
		return 0, fmt.Errorf("clone: %w", syscall.Errno(-first))
	}
	pidfd := int(int32(f.words[framePidfd]))
	defer unix.Close(pidfd)
	return f.outcome(p, first, pidfd)
}

// outcome reads what became of the child and reaps whatever of it is not the
// new process.
func (f *frame) outcome(p *Program, first, pidfd int) (int, error) {
	defer runtime.KeepAlive(f.words)
	second := int(f.words[frameForked])
	errno := uint16(f.words[frameErrno])
	if errno == 0 && second == 0 && !forks(p) {
		return first, nil
	}
	died := reap(pidfd)
	if errno != 0 || died {
		if second != 0 {
			// The first one may have been killed while the second runs on in
			// this memory, which must not be given back before it is gone.
			_ = unix.Kill(second, unix.SIGKILL)
			waitPID(second)
		}
	}
	if errno != 0 {
		return 0, stepError(p, f.failed(), errno)
	}
	if died || second == 0 {
		return 0, ErrKilled
	}
	return second, nil
}

func stepError(p *Program, step int, errno uint16) *Error {
	e := &Error{Step: step, Errno: errno}
	if step < len(p.Steps) {
		s := &p.Steps[step]
		e.Name = s.Name
		e.Exec = s.Nr == unix.SYS_EXECVE || s.Nr == unix.SYS_EXECVEAT
	}
	return e
}

func forks(p *Program) bool {
	for i := range p.Steps {
		if p.Steps[i].Nr == Fork {
			return true
		}
	}
	return false
}

// reap waits for the child of pidfd and says whether a signal ended it. Another
// reaper of the caller may have been faster: then it has exited.
func reap(pidfd int) (killed bool) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PIDFD, pidfd, &info, unix.WEXITED, nil)
		if err == unix.EINTR {
			continue
		}
		const cldExited = 1
		return err == nil && info.Code != cldExited
	}
}

func waitPID(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// setMask sets the signal mask of the thread and returns the one before.
func setMask(mask uint64) (old uint64) {
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(&mask)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	return old
}
