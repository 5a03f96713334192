package floor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/linux/mount"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// Floor is a pool of ready ground. Cycle may be called concurrently.
type Floor struct {
	root   string // directory with the file system to run
	dir    string // for writable layers, in memory
	groups *cgroup.Root
	pool   chan *ground
	n      atomic.Int64
}

// ground is what one container at a time stands on.
type ground struct {
	namespace.Pair
	ids       uint32
	group     *cgroup.Group
	entrances []*os.File
}

// firstIDs is far from the ids that a daemon's instances have.
const firstIDs = 0x60000000

// New makes the ground for size containers at a time, which run what is in the
// directory root.
func New(root string, size int) (*Floor, error) {
	dir, err := os.MkdirTemp("/dev/shm", "virga-floor-")
	if err != nil {
		return nil, err
	}
	f := &Floor{root: root, dir: dir, pool: make(chan *ground, size)}
	if f.groups, err = cgroup.Open("virga-floor-" + strconv.Itoa(os.Getpid())); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for i := range size {
		g, err := f.prepare(i)
		f.pool <- g
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// prepare returns what it made also after an error.
func (f *Floor) prepare(i int) (*ground, error) {
	g := &ground{ids: firstIDs + uint32(i)*namespace.IDs}
	var err error
	if g.Pair, err = namespace.NewPair(g.ids); err != nil {
		return g, err
	}
	if g.group, _, err = f.groups.Create(strconv.Itoa(i), cgroup.Limits{}); err != nil {
		return g, err
	}
	g.entrances, err = g.group.Entrances()
	return g, err
}

// Close takes the ground away. Nothing runs on it any more.
func (f *Floor) Close() error {
	var errs []error
	for len(f.pool) > 0 {
		g := <-f.pool
		errs = append(errs, g.Pair.Close())
		for _, e := range g.entrances {
			errs = append(errs, e.Close())
		}
		if g.group != nil {
			errs = append(errs, g.group.Delete(context.Background()))
		}
	}
	if f.groups != nil {
		errs = append(errs, f.groups.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}

// Cycle makes a container, runs argv in it to its end, takes the container
// away, and returns what argv printed.
func (f *Floor) Cycle(argv ...string) (string, error) {
	g := <-f.pool
	defer func() { f.pool <- g }()
	writable := filepath.Join(f.dir, strconv.FormatInt(f.n.Add(1), 10))
	if err := os.Mkdir(writable, 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(writable)
	root, err := mount.Overlay{Layers: []string{f.root}, Writable: writable, UserNS: g.User, IDs: g.ids}.Mount()
	if err != nil {
		return "", err
	}
	defer root.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return "", err
	}
	defer null.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer out.Close()
	pid, err := g.run(root, []int{int(null.Fd()), int(in.Fd()), int(in.Fd())}, argv)
	in.Close()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(out)
	return string(text), errors.Join(err, wait(pid))
}

// run is the container: namespaces, root, program.
func (g *ground) run(root *os.File, files []int, argv []string) (int, error) {
	b := launch.NewBuilder()
	own := func(f *os.File) launch.Arg {
		files = append(files, int(f.Fd()))
		return b.File()
	}
	cwd, zero, here, dot := launch.Int(unix.AT_FDCWD), launch.Int(0), b.String("/"), b.String(".")
	for _, e := range g.entrances {
		b.Syscall("enter cgroup", unix.SYS_WRITE, own(e), b.Bytes([]byte("0")), launch.Int(1))
	}
	b.Syscall("enter user namespace", unix.SYS_SETNS, own(g.User), launch.Int(unix.CLONE_NEWUSER))
	b.Syscall("enter network namespace", unix.SYS_SETNS, own(g.Net), launch.Int(unix.CLONE_NEWNET))
	b.Syscall("set group", unix.SYS_SETRESGID, zero, zero, zero)
	b.Syscall("set user", unix.SYS_SETRESUID, zero, zero, zero)
	b.Fork("make namespaces", unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS|unix.CLONE_NEWCGROUP)
	b.Syscall("make mounts private", unix.SYS_MOUNT, zero, here, zero, launch.Int(unix.MS_PRIVATE|unix.MS_REC), zero)
	at := own(root)
	b.Syscall("attach root", unix.SYS_MOVE_MOUNT, at, b.String(""), cwd, here, launch.Int(unix.MOVE_MOUNT_F_EMPTY_PATH))
	b.Syscall("change to root", unix.SYS_FCHDIR, at)
	b.Syscall("pivot root", unix.SYS_PIVOT_ROOT, dot, dot)
	b.Syscall("detach host root", unix.SYS_UMOUNT2, dot, launch.Int(unix.MNT_DETACH))
	b.Stdio(false)
	b.Exec(argv[:1], argv, nil)
	p, err := b.Program()
	if err != nil {
		return 0, err
	}
	return launch.Run(p, files)
}

// wait reaps pid.
func wait(pid int) error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("wait for %d: %w", pid, err)
		case status.ExitStatus() != 0:
			return fmt.Errorf("wait for %d: status %#x", pid, uint32(status))
		}
		return nil
	}
}
