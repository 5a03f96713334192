package socket

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Inbox is the memory that a Receive takes beside its buffer. The zero value is
// ready; it belongs to one goroutine and must not be copied.
type Inbox struct {
	header  unix.Msghdr
	vector  unix.Iovec
	control struct {
		unix.Cmsghdr
		left int32
		_    [4]byte
	}
}

// TellRest has Receive know what is left in a socket (Linux 4.18).
func TellRest(c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_INQ, 1))
	})
	if err != nil {
		return err
	}
	return failed
}

// Receive reads what is there into b, which must not be empty; 0 bytes are the
// end of the stream. It returns EAGAIN when there is nothing. drained says
// that nothing was left behind, not even the end: what comes later is an event
// of its own to the poller. It is false where that is not known, because
// TellRest was not called or could do nothing.
func (in *Inbox) Receive(fd uintptr, b []byte) (n int, drained bool, err error) {
	in.vector.Base = &b[0]
	in.vector.SetLen(len(b))
	in.header.Iov = &in.vector
	in.header.SetIovlen(1)
	in.header.Control = (*byte)(unsafe.Pointer(&in.control))
	for {
		in.header.SetControllen(int(unsafe.Sizeof(in.control)))
		r, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&in.header)), unix.MSG_DONTWAIT)
		runtime.KeepAlive(b)
		switch errno {
		case 0:
			told := in.header.Controllen > 0 && in.control.Level == unix.SOL_TCP && in.control.Type == unix.TCP_CM_INQ
			return int(r), told && in.control.left == 0, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, false, syscall.EAGAIN
		default:
			return 0, false, os.NewSyscallError("recvmsg", errno)
		}
	}
}

// Receive reads what is there into b, which must not be empty; 0 bytes are the
// end of the stream. It returns EAGAIN when there is nothing. It costs less than
// an Inbox's, which knows what is left.
func Receive(fd uintptr, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, syscall.EAGAIN
		default:
			return 0, os.NewSyscallError("recvfrom", errno)
		}
	}
}

// Send writes as much of b as there is room for, and returns how much that was:
// less than all of it, or nothing, is no error.
func Send(fd uintptr, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("sendto", errno)
		}
	}
}
