package confine

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// populate mounts everything in the new root.
func (c *compiler) populate() {
	c.populateDev()
	for _, m := range c.p.Start.Mounts {
		if !m.Late {
			c.mount(m)
		}
	}
	c.populateProc()
	c.populateSys()
	for _, m := range c.p.Start.Mounts {
		if m.Late {
			c.mount(m)
		}
	}
}

const common = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC

func (c *compiler) populateDev() {
	s := c.p.Start
	c.dev = c.file(s.Dev)
	c.ensure("/dev")
	c.attach(c.dev, "/dev")
	pts := []Param{{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}
	c.attachIn("/dev/pts", c.newFS("devpts", common, pts), "pts")
	c.attachIn("/dev/mqueue", c.newFS("mqueue", common|unix.MOUNT_ATTR_NODEV, nil), "mqueue")
	c.attachIn("/dev/shm", c.sharedMemory(), "shm")
	if c.p.TTY {
		c.attachIn("/dev/console", c.console, "console")
	}
}

// attachIn attaches a mount at a name of /dev, which is ours: its files lead
// nowhere else.
func (c *compiler) attachIn(what string, m launch.Arg, name string) {
	c.Syscall("mount "+what, unix.SYS_MOVE_MOUNT, m, c.String(""), c.dev, c.String(name), launch.Int(unix.MOVE_MOUNT_F_EMPTY_PATH))
	c.Close(m)
}

func (c *compiler) populateProc() {
	c.ensure("/proc")
	c.proc = c.newFS("proc", common|unix.MOUNT_ATTR_NODEV, []Param{{"source", "proc"}})
	c.attach(c.proc, "/proc")
}

func (c *compiler) populateSys() {
	s := c.p.Start.Sys
	c.ensure("/sys")
	attrs := uint64(common | unix.MOUNT_ATTR_NODEV)
	if !s.Writable {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if s.Host != nil {
		c.sys = c.file(s.Host)
	} else {
		c.sys = c.newFS("sysfs", attrs, []Param{{"source", "sysfs"}})
	}
	c.attach(c.sys, "/sys")
	for _, m := range s.Cgroups {
		c.mount(m)
	}
}

// mount makes one mount, with the directories it needs.
func (c *compiler) mount(m Mount) {
	for i, dir := range m.Make {
		if m.File && i == len(m.Make)-1 {
			c.makeFile(dir)
			continue
		}
		c.makeDir(dir)
	}
	if m.Source != nil {
		c.attach(c.file(m.Source), m.Target)
		return
	}
	if m.InDev != "" {
		f := c.Result("clone "+m.InDev, unix.SYS_OPEN_TREE, c.dev, c.String(m.InDev), launch.Int(unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
		c.attach(f, m.Target)
		c.Close(f)
		return
	}
	fs := c.newFS(m.Type, m.Attrs, m.Params)
	c.attach(fs, m.Target)
	c.Close(fs)
}

// attach puts a detached mount on a path of the root.
func (c *compiler) attach(m launch.Arg, target string) {
	at := c.open(target, unix.O_PATH)
	empty := c.String("")
	c.Syscall("mount "+target, unix.SYS_MOVE_MOUNT, m, empty, at, empty,
		launch.Int(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
	c.Close(at)
}

// newFS mounts a new file system, detached.
func (c *compiler) newFS(fstype string, attrs uint64, params []Param) launch.Arg {
	name := "mount " + fstype
	ctx := c.Result(name, unix.SYS_FSOPEN, c.String(fstype), launch.Int(unix.FSOPEN_CLOEXEC))
	for _, p := range params {
		if p.Value == "" {
			c.Syscall(name+" "+p.Key, unix.SYS_FSCONFIG, ctx, launch.Int(unix.FSCONFIG_SET_FLAG), c.String(p.Key), launch.Int(0), launch.Int(0))
			continue
		}
		c.Syscall(name+" "+p.Key, unix.SYS_FSCONFIG, ctx, launch.Int(unix.FSCONFIG_SET_STRING), c.String(p.Key), c.String(p.Value), launch.Int(0))
	}
	c.Syscall(name, unix.SYS_FSCONFIG, ctx, launch.Int(unix.FSCONFIG_CMD_CREATE), launch.Int(0), launch.Int(0), launch.Int(0))
	m := c.Result(name, unix.SYS_FSMOUNT, ctx, launch.Int(unix.FSMOUNT_CLOEXEC), launch.Int(attrs))
	c.Close(ctx)
	return m
}

// ensure makes a directory directly below the root unless there is something.
func (c *compiler) ensure(dir string) {
	c.Try(exists, "make "+dir, unix.SYS_MKDIRAT, c.root, c.String(dir[1:]), launch.Int(0o755))
}

// makeDir makes a directory whose parent exists.
func (c *compiler) makeDir(dir string) {
	parent := c.open(path.Dir(dir), unix.O_PATH|unix.O_DIRECTORY)
	c.Try(exists, "make "+dir, unix.SYS_MKDIRAT, parent, c.String(path.Base(dir)), launch.Int(0o755))
	c.Close(parent)
}

// makeFile makes an empty file whose parent exists.
func (c *compiler) makeFile(file string) {
	parent := c.open(path.Dir(file), unix.O_PATH|unix.O_DIRECTORY)
	c.Try(exists, "make "+file, unix.SYS_MKNODAT, parent, c.String(path.Base(file)), launch.Int(unix.S_IFREG|0o644), launch.Int(0))
	c.Close(parent)
}
