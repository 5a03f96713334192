package confine

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// shared are the flags of the namespaces that are somebody's.
func (c *compiler) shared(whose Space) (flags uintptr) {
	s := &c.p.Start.Sharing
	for _, n := range []struct {
		space Space
		flag  uintptr
	}{{s.PID, unix.CLONE_NEWPID}, {s.IPC, unix.CLONE_NEWIPC}, {s.UTS, unix.CLONE_NEWUTS}} {
		if n.space == whose {
			flags |= n.flag
		}
	}
	return flags
}

// share enters another instance's namespaces, as the host's root: its user
// namespace may be above or beside the one that this process goes to. The
// first fork is in its PID namespace.
func (c *compiler) share() {
	flags := c.shared(Others)
	if flags == 0 {
		return
	}
	other := c.file(c.p.Start.Sharing.Other)
	if flags&unix.CLONE_NEWIPC != 0 {
		c.borrowMemory(other)
	}
	c.Syscall("enter shared namespaces", unix.SYS_SETNS, other, launch.Int(flags))
}

// borrowMemory clones the other's /dev/shm, which only who is in its mount
// namespace may, and comes back.
func (c *compiler) borrowMemory(other launch.Arg) {
	const what = "share /dev/shm"
	here := c.Result(what, unix.SYS_OPENAT, cwd, c.String("/proc/self/ns/mnt"), launch.Int(unix.O_RDONLY|unix.O_CLOEXEC), launch.Int(0))
	c.Syscall(what, unix.SYS_SETNS, other, launch.Int(unix.CLONE_NEWNS))
	// Its root is all there is: a link in it leads nowhere else.
	c.shm = c.Result(what, unix.SYS_OPEN_TREE, cwd, c.String("/dev/shm"), launch.Int(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
	c.Syscall(what, unix.SYS_SETNS, here, launch.Int(unix.CLONE_NEWNS))
	c.Close(here)
}

// sharedMemory is what is mounted on /dev/shm.
func (c *compiler) sharedMemory() launch.Arg {
	s := c.p.Start
	switch {
	case s.Shm != nil:
		return c.file(s.Shm)
	case s.Sharing.IPC == Others:
		return c.shm
	}
	params := []Param{{"source", "shm"}, {"mode", "1777"}, {"size", fmt.Sprint(s.ShmSize)}}
	return c.newFS("tmpfs", common|unix.MOUNT_ATTR_NODEV, params)
}
