package confine

import (
	"slices"
	"strings"

	"maps"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// seal closes what populate left open, and lets go of the host's root.
func (c *compiler) seal() {
	s := c.p.Start
	for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
		c.sysctl(name, s.Sysctls[name])
	}
	for _, p := range s.Protected {
		c.protect(p)
	}
	c.mask(s.Masked)
	if s.ReadOnly {
		c.setAttr(c.root, "protect root", unix.MOUNT_ATTR_RDONLY, false)
	}
	if s.Hostname != "" {
		c.Syscall("set hostname", unix.SYS_SETHOSTNAME, c.Bytes([]byte(s.Hostname)), launch.Int(len(s.Hostname)))
	}
	c.Syscall("change to host root", unix.SYS_FCHDIR, c.old)
	c.Syscall("detach host root", unix.SYS_UMOUNT2, c.String("."), launch.Int(unix.MNT_DETACH))
	c.Close(c.old)
	c.Syscall("change to root", unix.SYS_FCHDIR, c.root)
}

func (c *compiler) sysctl(name, value string) {
	what := "set sysctl " + name
	file := c.Result(what, unix.SYS_OPENAT, c.proc, c.String("sys/"+strings.ReplaceAll(name, ".", "/")),
		launch.Int(unix.O_WRONLY|unix.O_CLOEXEC), launch.Int(0))
	c.Syscall(what, unix.SYS_WRITE, file, c.Bytes([]byte(value)), launch.Int(len(value)))
	c.Close(file)
}

// inside splits a path below /proc or /sys into its mount and the rest. Both
// are the kernel's own trees, so no link of the image is on the way.
func (c *compiler) inside(p string) (launch.Arg, string) {
	if rest, ok := strings.CutPrefix(p, "/proc/"); ok {
		return c.proc, rest
	}
	return c.sys, strings.TrimPrefix(p, "/sys/")
}

// clone makes a detached clone of what is at a name of dir.
func (c *compiler) clone(what string, dir launch.Arg, name string) launch.Arg {
	flags := unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE
	return c.Result(what, unix.SYS_OPEN_TREE, dir, c.String(name), launch.Int(flags))
}

func (c *compiler) setAttr(m launch.Arg, what string, attrs uint64, recursive bool) {
	flags := unix.AT_EMPTY_PATH
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	set := c.Words(launch.Int(attrs), launch.Int(0), launch.Int(0), launch.Int(0))
	c.Syscall(what, unix.SYS_MOUNT_SETATTR, m, c.String(""), launch.Int(flags), set, launch.Int(32))
}

// protect makes a path read-only.
func (c *compiler) protect(p string) {
	what := "protect " + p
	dir, name := c.inside(p)
	m := c.clone(what, dir, name)
	c.setAttr(m, what, unix.MOUNT_ATTR_RDONLY, true)
	c.cover(what, m, dir, name)
	c.Close(m)
}

// mask hides paths: a directory behind an empty one, a file behind /dev/null.
func (c *compiler) mask(paths []Path) {
	for _, p := range paths {
		what := "mask " + p.Name
		dir, name := c.inside(p.Name)
		behind := "null"
		if p.Dir {
			behind = mount.DevEmpty
		}
		m := c.clone(what, c.dev, behind)
		if p.Dir {
			c.setAttr(m, what, common|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_RDONLY, false)
		}
		c.cover(what, m, dir, name)
		c.Close(m)
	}
}

func (c *compiler) cover(what string, m, dir launch.Arg, name string) {
	c.Syscall(what, unix.SYS_MOVE_MOUNT, m, c.String(""), dir, c.String(name), launch.Int(unix.MOVE_MOUNT_F_EMPTY_PATH))
}
