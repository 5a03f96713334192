package supervisor

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/shim/wire"
)

// ErrHeld says that another supervisor serves the directory.
var ErrHeld = errors.New("another supervisor serves this directory")

// Listener accepts connections of root's on a unix socket.
type Listener struct {
	f    *os.File
	raw  syscall.RawConn
	lock *os.File
	path string
	uid  int
	once sync.Once
}

// Listen makes the socket shim.sock in dir. A lock file says whose it is, so
// that a socket left by a supervisor that was killed can be replaced.
func Listen(dir string) (*Listener, error) {
	lock, err := os.OpenFile(dir+"/shim.lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &Listener{lock: lock, path: dir + "/shim.sock", uid: os.Getuid()}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if err == unix.EWOULDBLOCK {
			err = ErrHeld
		}
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if err := l.open(); err != nil {
		lock.Close()
		return nil, err
	}
	return l, nil
}

func (l *Listener) open() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	_ = os.Remove(l.path)
	// Not even for a moment may others connect.
	old := unix.Umask(0o177)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: l.path})
	unix.Umask(old)
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("listen on %s: %w", l.path, err)
	}
	l.f = os.NewFile(uintptr(fd), l.path)
	l.raw, err = l.f.SyscallConn()
	return err
}

// Accept returns the next connection whose other end runs as this process's
// user, and closes others.
func (l *Listener) Accept() (*wire.Conn, error) {
	for {
		fd, err := -1, error(nil)
		wait := l.raw.Read(func(listener uintptr) bool {
			fd, _, err = unix.Accept4(int(listener), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return err != unix.EAGAIN
		})
		switch {
		case wait != nil:
			return nil, wait
		case err == unix.EINTR || err == unix.ECONNABORTED:
			continue
		case err != nil:
			return nil, fmt.Errorf("accept: %w", err)
		}
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil || int(cred.Uid) != l.uid {
			unix.Close(fd)
			continue
		}
		if conn, err := wire.NewConn(fd); err == nil {
			return conn, nil
		}
	}
}

// Close removes the socket and lets another supervisor take the directory.
func (l *Listener) Close() {
	l.once.Do(func() {
		_ = os.Remove(l.path)
		l.f.Close()
		l.lock.Close()
	})
}
