package launch

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Close closes a descriptor that Result gave and frees its register.
func (b *Builder) Close(fd Arg) {
	b.Syscall("close", unix.SYS_CLOSE, fd)
	b.Free(fd)
}

// WriteFile adds the steps that write data to an existing file by one write:
// "0" to a cgroup's cgroup.procs, a sysctl, a map of ids.
func (b *Builder) WriteFile(path string, data string) {
	fd := b.Result("open "+path, unix.SYS_OPENAT, Int(unix.AT_FDCWD), b.String(path),
		Int(unix.O_WRONLY|unix.O_CLOEXEC), Int(0))
	b.Syscall("write "+path, unix.SYS_WRITE, fd, b.Bytes([]byte(data)), Int(len(data)))
	b.Close(fd)
}

// Stdio adds the steps that make the process the leader of a session and give
// it its standard streams, and with tty its controlling terminal. They come
// after all steps that use StdFile.
func (b *Builder) Stdio(tty bool) {
	b.Syscall("setsid", unix.SYS_SETSID)
	for n := range OwnFiles {
		b.Syscall("set standard stream", unix.SYS_DUP3, StdFile(n), Int(n), Int(0))
	}
	if tty {
		b.Syscall("set controlling terminal", unix.SYS_IOCTL, Int(0), Int(unix.TIOCSCTTY), Int(0))
	}
}

// Exec adds the execve of argv with the first of paths that is there and can
// be executed. When none can, the error is that of the first that is there,
// else "no such file": the error's ExitCode tells the two apart.
func (b *Builder) Exec(paths, argv, env []string) {
	if len(paths) == 0 || len(argv) == 0 {
		b.fail("program: nothing to execute")
		return
	}
	name := "exec " + argv[0]
	args, vars := b.Strings(argv), b.Strings(env)
	at := make([]Arg, len(paths))
	for i, p := range paths {
		at[i] = b.String(p)
	}
	// As in a shell, a file that may not be executed hides no later one. What
	// the first pass passes over for EACCES the second one stops at.
	if len(paths) > 1 {
		for _, p := range at {
			b.Try([]syscall.Errno{unix.ENOENT, unix.ENOTDIR, unix.EACCES}, name, unix.SYS_EXECVE, p, args, vars)
		}
		for _, p := range at[:len(at)-1] {
			b.Try([]syscall.Errno{unix.ENOENT, unix.ENOTDIR}, name, unix.SYS_EXECVE, p, args, vars)
		}
	}
	b.Syscall(name, unix.SYS_EXECVE, at[len(at)-1], args, vars)
}
