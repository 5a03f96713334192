package confine

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// Compile returns the program that becomes the process, and the files that go
// with it.
func Compile(p Process) (*launch.Program, []*os.File, error) {
	c := &compiler{Builder: launch.NewBuilder(), p: p}
	c.enter()
	switch {
	case p.Start != nil:
		c.Fork("make namespaces", namespaces&^c.shared(Nodes)&^c.shared(Others))
		c.Syscall("set umask", unix.SYS_UMASK, launch.Int(0))
		c.pivot()
		c.populate()
		c.seal()
		c.Syscall("set umask", unix.SYS_UMASK, launch.Int(0o022))
	case p.Join != nil:
		c.join()
	}
	c.become()
	program, err := c.Program()
	if err != nil {
		return nil, nil, fmt.Errorf("compile process: %w", err)
	}
	return program, c.files, nil
}

type compiler struct {
	*launch.Builder
	p     Process
	files []*os.File

	root    launch.Arg // the instance's root, set by pivot
	old     launch.Arg // the host's root, until seal
	console launch.Arg // clone of the terminal, with TTY
	dev     launch.Arg
	proc    launch.Arg
	sys     launch.Arg
	shm     launch.Arg // clone of another instance's, when that is shared
}

// file is f, sent along.
func (c *compiler) file(f *os.File) launch.Arg {
	c.files = append(c.files, f)
	return c.File()
}

var cwd = launch.Int(unix.AT_FDCWD)

// enter does what only the host's root may do, and leaves its namespaces.
func (c *compiler) enter() {
	for _, f := range c.p.Entrances {
		c.Syscall("enter cgroup "+f.Name(), unix.SYS_WRITE, c.file(f), c.Bytes([]byte("0")), launch.Int(1))
	}
	for _, r := range c.p.Rlimits {
		if r.Raise {
			c.limit(r, r.Hard)
		}
	}
	if adj := c.p.OOMScoreAdj; adj != nil {
		c.WriteFile("/proc/self/oom_score_adj", strconv.Itoa(*adj))
	}
	c.streams()
	if c.p.Join != nil {
		return
	}
	c.share()
	if c.p.UserNS != nil {
		c.Syscall("enter user namespace", unix.SYS_SETNS, c.file(c.p.UserNS), launch.Int(unix.CLONE_NEWUSER))
	}
	if c.p.NetNS != nil {
		c.Syscall("enter network namespace", unix.SYS_SETNS, c.file(c.p.NetNS), launch.Int(unix.CLONE_NEWNET))
	}
	if c.p.UserNS != nil {
		c.becomeRoot()
	}
}

// becomeRoot takes the ids of the user namespace's root.
func (c *compiler) becomeRoot() {
	c.Syscall("set groups", unix.SYS_SETGROUPS, launch.Int(0), launch.Int(0))
	c.Syscall("set group", unix.SYS_SETRESGID, launch.Int(0), launch.Int(0), launch.Int(0))
	c.Syscall("set user", unix.SYS_SETRESUID, launch.Int(0), launch.Int(0), launch.Int(0))
}

// streams gives the standard streams to the user of the process, so that it
// can open them again as /dev/stdout, and keeps a handle of the terminal.
// Without Stdin the first one is the host's /dev/null, which is left alone.
func (c *compiler) streams() {
	uid, gid := launch.Int(c.p.IDs+c.p.UID), launch.Int(c.p.IDs+c.p.GID)
	empty := c.String("")
	for n := range launch.OwnFiles {
		switch {
		case c.p.TTY && n > 0, !c.p.TTY && !c.p.Stdin && n == 0:
			continue
		case c.p.TTY:
			const ttyGroup = 5
			gid = launch.Int(c.p.IDs + ttyGroup)
		}
		c.Syscall("own standard stream", unix.SYS_FCHOWNAT, launch.StdFile(n), empty, uid, gid, launch.Int(unix.AT_EMPTY_PATH))
	}
	if c.p.TTY && c.p.Start != nil {
		c.console = c.Result("clone terminal", unix.SYS_OPEN_TREE, launch.StdFile(0), empty,
			launch.Int(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH))
	}
}

// join enters the namespaces of a running instance; the fork enters its PID
// namespace.
func (c *compiler) join() {
	flags := namespaces | unix.CLONE_NEWNET
	if c.p.Join.UserNS {
		flags |= unix.CLONE_NEWUSER
	}
	c.Syscall("enter namespaces", unix.SYS_SETNS, c.file(c.p.Join.PID), launch.Int(flags))
	if c.p.Join.UserNS {
		c.becomeRoot()
	}
	c.Fork("fork", 0)
	c.root = c.Result("open root", unix.SYS_OPENAT, cwd, c.String("/"), launch.Int(unix.O_PATH|unix.O_CLOEXEC), launch.Int(0))
}

// pivot makes the instance's root "/". The host's root stays on top of it,
// out of reach of any path, until seal: a new /proc may only be mounted where
// one is to be seen already.
func (c *compiler) pivot() {
	here := c.String("/")
	c.Syscall("make mounts private", unix.SYS_MOUNT, launch.Int(0), here, launch.Int(0), launch.Int(unix.MS_PRIVATE|unix.MS_REC), launch.Int(0))
	c.old = c.Result("open host root", unix.SYS_OPENAT, cwd, here, launch.Int(unix.O_PATH|unix.O_CLOEXEC), launch.Int(0))
	c.root = c.file(c.p.Start.Root)
	c.Syscall("attach root", unix.SYS_MOVE_MOUNT, c.root, c.String(""), cwd, here, launch.Int(unix.MOVE_MOUNT_F_EMPTY_PATH))
	c.Syscall("change to root", unix.SYS_FCHDIR, c.root)
	dot := c.String(".")
	c.Syscall("pivot root", unix.SYS_PIVOT_ROOT, dot, dot)
}

// open opens a path inside the instance's root.
func (c *compiler) open(path string, flags uint64) launch.Arg {
	how := c.Words(launch.Int(flags|unix.O_CLOEXEC), launch.Int(0), launch.Int(uint64(mount.Resolve)))
	return c.Result("open "+path, unix.SYS_OPENAT2, c.root, c.String(path), how, launch.Int(unix.SizeofOpenHow))
}

type errno = syscall.Errno

var exists = []errno{unix.EEXIST}
