package confine

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/launch"
)

// become turns the process into the workload: from here on it gives up rights
// and gets none.
func (c *compiler) become() {
	for _, dir := range c.p.MakeWorkingDir {
		c.makeDir(dir)
	}
	c.workingDir()
	c.Stdio(c.p.TTY)
	// Not before: what makes the instance opens more files than it may get.
	for _, r := range c.p.Rlimits {
		c.limit(r, r.Soft)
	}
	if !c.p.NoNewPrivs {
		// Afterwards the process may not install a filter any more.
		c.seccomp()
	}
	c.identity()
	if c.p.NoNewPrivs {
		c.prctl("set no new privileges", unix.PR_SET_NO_NEW_PRIVS, 1)
		c.seccomp()
	}
	// Nothing of the supervisor's or of what started it goes along.
	c.Syscall("close files on exec", unix.SYS_CLOSE_RANGE, launch.Int(3), launch.Int(uint32(1<<32-1)), launch.Int(unix.CLOSE_RANGE_CLOEXEC))
	c.Exec(c.p.Paths, c.p.Argv, c.p.Env)
}

// workingDir is opened like any path of the instance: a link through /proc
// could name a descriptor of this process, which leads to the host.
func (c *compiler) workingDir() {
	how := c.Words(launch.Int(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC), launch.Int(0), launch.Int(unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS))
	const what = "change to working directory"
	dir := c.Result(what, unix.SYS_OPENAT2, c.root, c.String(c.p.WorkingDir), how, launch.Int(unix.SizeofOpenHow))
	c.Syscall(what, unix.SYS_FCHDIR, dir)
	c.Close(dir)
}

func (c *compiler) identity() {
	p := c.p
	for n := range 64 {
		if s := caps.Set(1) << n; caps.All.Has(s) && !p.Bounding.Has(s) {
			// EINVAL: the kernel does not know this one yet.
			c.Try(invalid, "drop capability", unix.SYS_PRCTL, launch.Int(unix.PR_CAPBSET_DROP), launch.Int(n), launch.Int(0), launch.Int(0), launch.Int(0))
		}
	}
	permitted, inheritable := p.Bounding, caps.Set(0)
	if p.UID != 0 {
		permitted, inheritable = p.Ambient&p.Bounding, p.Ambient&p.Bounding
		if permitted != 0 {
			c.prctl("keep capabilities", unix.PR_SET_KEEPCAPS, 1)
		}
	}
	c.setIDs()
	c.capset(permitted, inheritable)
	if p.UID == 0 {
		return
	}
	for n := range 64 {
		if permitted.Has(1 << n) {
			c.Syscall("raise ambient capability", unix.SYS_PRCTL, launch.Int(unix.PR_CAP_AMBIENT), launch.Int(unix.PR_CAP_AMBIENT_RAISE), launch.Int(n), launch.Int(0), launch.Int(0))
		}
	}
}

func (c *compiler) setIDs() {
	var groups []byte
	for _, g := range c.p.Groups {
		groups = binary.NativeEndian.AppendUint32(groups, g)
	}
	uid, gid := launch.Int(c.p.UID), launch.Int(c.p.GID)
	c.Syscall("set groups", unix.SYS_SETGROUPS, launch.Int(len(c.p.Groups)), c.Bytes(groups))
	c.Syscall("set group", unix.SYS_SETRESGID, gid, gid, gid)
	c.Syscall("set user", unix.SYS_SETRESUID, uid, uid, uid)
}

// capset writes the structures of capset(2), version 3.
func (c *compiler) capset(permitted, inheritable caps.Set) {
	var header, data []byte
	header = binary.NativeEndian.AppendUint32(header, unix.LINUX_CAPABILITY_VERSION_3)
	header = binary.NativeEndian.AppendUint32(header, 0)
	for _, shift := range []int{0, 32} {
		for _, s := range []caps.Set{permitted, permitted, inheritable} { // effective, permitted, inheritable
			data = binary.NativeEndian.AppendUint32(data, uint32(s>>shift))
		}
	}
	c.Syscall("set capabilities", unix.SYS_CAPSET, c.Bytes(header), c.Bytes(data))
}

func (c *compiler) seccomp() {
	if c.p.Seccomp != nil {
		c.p.Seccomp.Install(c.Builder)
	}
}

func (c *compiler) prctl(what string, option, value int) {
	c.Syscall(what, unix.SYS_PRCTL, launch.Int(option), launch.Int(value), launch.Int(0), launch.Int(0), launch.Int(0))
}

var invalid = []errno{unix.EINVAL}
