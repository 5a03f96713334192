package namespace

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// IDs is the number of uids and gids that a user namespace of this package has.
const IDs = 65536

// readyTimeout bounds the wait for a child that was killed by someone else
// before it reported.
const readyTimeout = 10 * time.Second

// Pair is a user namespace and a network namespace that it owns.
type Pair struct {
	User, Net *os.File
}

// Close closes the files; the namespaces live on while something is in them.
func (p Pair) Close() error {
	var err error
	for _, f := range []*os.File{p.User, p.Net} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// NewPair makes a user namespace, which maps its ids 0 to 65,535 to base and
// up, and a network namespace owned by it. No process is left behind.
func NewPair(base uint32) (p Pair, err error) {
	err = parked(&park{flags: shared | unix.CLONE_NEWUSER, user: -1}, func(pid int) error {
		p, err = adopt(pid, base)
		return err
	})
	return p, err
}

// NewNetIn makes a network namespace owned by a user namespace that exists.
func NewNetIn(user *os.File) (net *os.File, err error) {
	err = parked(&park{flags: shared, user: int64(user.Fd())}, func(pid int) error {
		net, err = open("/proc/" + strconv.Itoa(pid) + "/ns/net")
		return err
	})
	return net, err
}

// parked calls f with the pid of a child that is in the namespaces that p asks
// for. The child is gone when it returns.
func parked(p *park, f func(pid int) error) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe for namespace child: %w", err)
	}
	defer r.Close()
	defer w.Close()
	// The child inherits the pipe by sharing the table of descriptors.
	p.fd, p.parent = w.Fd(), int64(os.Getpid())
	pid, errno := start(p)
	if errno != 0 {
		return fmt.Errorf("clone namespace child: %w", errno)
	}
	defer reap(pid)
	if err := r.SetReadDeadline(time.Now().Add(readyTimeout)); err != nil {
		return fmt.Errorf("wait for namespace child: %w", err)
	}
	var b [8]byte
	if _, err := r.Read(b[:]); err != nil {
		return fmt.Errorf("wait for namespace child: %w", err)
	}
	if p.result != 0 {
		return fmt.Errorf("make network namespace: %w", unix.Errno(-p.result))
	}
	return f(pid)
}

// adopt writes the maps of the child and opens its namespaces.
func adopt(pid int, base uint32) (Pair, error) {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	m := []byte("0 " + strconv.FormatUint(uint64(base), 10) + " " + strconv.Itoa(IDs) + "\n")
	for _, name := range []string{"uid_map", "gid_map"} {
		if err := write(dir+name, m); err != nil {
			return Pair{}, fmt.Errorf("write %s: %w", name, err)
		}
	}
	var p Pair
	var err error
	if p.User, err = open(dir + "ns/user"); err != nil {
		return Pair{}, err
	}
	if p.Net, err = open(dir + "ns/net"); err != nil {
		p.User.Close()
		return Pair{}, err
	}
	return p, nil
}

// write is one write to a file of proc, without the poller.
func write(path string, b []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if _, err = unix.Write(fd, b); err != unix.EINTR {
			return err
		}
	}
}

func open(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// park is what the child reads and writes; assembly knows its layout.
type park struct {
	fd     uintptr // offset 0: where to report
	result int64   // offset 8: 0 or a negative errno
	flags  uintptr // offset 16: of the clone
	user   int64   // offset 24: user namespace to enter, -1 for none
	parent int64   // offset 32: pid of the caller, without which the child ends
}

// shared is what the child shares with its parent.
const shared = unix.CLONE_VM | unix.CLONE_FILES

// start makes the child. Every signal is blocked around the clone, so that the
// child, which has the caller's handlers and stack, never runs one.
func start(p *park) (int, unix.Errno) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, old := ^uint64(0), uint64(0)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	pid := cloneParked(p)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	if pid < 0 {
		return 0, unix.Errno(-pid)
	}
	return int(pid), 0
}

// cloneParked clones a child with p.flags. The child enters the user namespace
// p.user, asks to die with its parent thread, ends when that was too late,
// unshares its network namespace, stores the first failure in p, writes 8 bytes
// to p.fd and pauses until it is killed. It touches no stack. p must escape to
// the heap: the caller's stack may move while the child still writes to it.
func cloneParked(p *park) int64

func reap(pid int) {
	unix.Kill(pid, unix.SIGKILL)
	for {
		if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != unix.EINTR {
			return
		}
	}
}
