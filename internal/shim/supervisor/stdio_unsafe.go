package supervisor

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/logs"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// stdio is the supervisor's end of a process's standard streams.
type stdio struct {
	child   [3]int // the process's ends, closed once it has them
	outputs []source
	tty     *os.File // the terminal's master, or nil

	mu    sync.Mutex
	stdin *os.File // or nil; guarded by mu
	write sync.Mutex
}

type source struct {
	stream logs.Stream
	f      *os.File
}

func openStdio(start *wire.Start) (*stdio, error) {
	io := &stdio{child: [3]int{-1, -1, -1}}
	err := io.open(start)
	if err != nil {
		io.closeChild()
		io.close()
		return nil, err
	}
	return io, nil
}

func (io *stdio) open(start *wire.Start) error {
	if start.TTY {
		return io.openTTY(start)
	}
	if start.Stdin {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		io.child[0], io.stdin = r, w.writer("stdin")
	} else {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s: %w", os.DevNull, err)
		}
		io.child[0] = fd
	}
	for i, s := range []logs.Stream{logs.Stdout, logs.Stderr} {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		io.child[i+1] = int(w)
		_ = unix.SetNonblock(r, true)
		io.outputs = append(io.outputs, source{s, os.NewFile(uintptr(r), s.String())})
	}
	return nil
}

// end is a descriptor of a pipe.
type end int

func pipe() (r int, w end, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, 0, fmt.Errorf("pipe: %w", err)
	}
	return p[0], end(p[1]), nil
}

func (e end) writer(name string) *os.File {
	_ = unix.SetNonblock(int(e), true)
	return os.NewFile(uintptr(e), name)
}

// openTTY opens a terminal of the node's devpts.
func (io *stdio) openTTY(start *wire.Start) error {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open /dev/ptmx: %w", err)
	}
	io.tty = os.NewFile(uintptr(master), "ptmx")
	io.outputs = []source{{logs.Stdout, io.tty}}
	if start.Stdin {
		io.stdin = io.tty
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock terminal: %w", err)
	}
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return fmt.Errorf("open terminal: %w", errno)
	}
	io.child = [3]int{int(slave), int(slave), int(slave)}
	if start.Width > 0 && start.Height > 0 {
		size := unix.Winsize{Col: start.Width, Row: start.Height}
		if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &size); err != nil {
			return fmt.Errorf("size of terminal: %w", err)
		}
	}
	return nil
}

func (p *process) resize(w, h uint16) error {
	if p.stdio == nil || p.stdio.tty == nil {
		return nil
	}
	raw, err := p.stdio.tty.SyscallConn()
	if err != nil {
		return err
	}
	size := unix.Winsize{Col: w, Row: h}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &size) })
	return errors.Join(err, set)
}

func (io *stdio) closeChild() {
	for i, fd := range io.child {
		if fd >= 0 && (i == 0 || fd != io.child[0]) {
			unix.Close(fd)
		}
	}
	io.child = [3]int{-1, -1, -1}
}

func (io *stdio) close() {
	io.closeStdin()
	for _, o := range io.outputs {
		_ = o.f.Close()
	}
	if io.tty != nil {
		_ = io.tty.Close()
	}
}

// closeStdin ends standard input when it is a pipe.
func (io *stdio) closeStdin() {
	io.mu.Lock()
	f := io.stdin
	io.stdin = nil
	io.mu.Unlock()
	if f != nil && f != io.tty {
		_ = f.Close()
	}
}

// patience is how long a write of input waits before its writer looks whether
// the client is still there.
const patience = time.Second

// input writes b to standard input. It waits for the process to read while
// gone says that the client is there. Input that nobody will read is dropped.
func (io *stdio) input(b []byte, gone func() bool) {
	io.write.Lock()
	defer io.write.Unlock()
	for len(b) > 0 {
		io.mu.Lock()
		f := io.stdin
		io.mu.Unlock()
		if f == nil {
			return
		}
		_ = f.SetWriteDeadline(time.Now().Add(patience))
		n, err := f.Write(b)
		b = b[n:]
		if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || gone()) {
			return
		}
	}
}
