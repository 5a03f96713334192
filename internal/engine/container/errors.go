package container

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/launch"
)

func notRunning(instance string) error {
	return api.Errorf(api.CodeConflict, "instance %s is not running", instance).WithHint("start it first")
}

// rootCause is the innermost error, without the paths of this node's files.
func rootCause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// explain turns a step that failed into what the user can do about it.
func explain(t engine.Task, err error) error {
	e, ok := errors.AsType[*launch.Error](err)
	if !ok {
		return err
	}
	errno := syscall.Errno(e.Errno)
	switch {
	case errno == syscall.ENOSPC || errno == syscall.EDQUOT:
		return api.FromOS(fmt.Errorf("%s: %w", e.Name, errno))
	case e.Exec:
		return explainExec(t.Args[0], e)
	case strings.HasPrefix(e.Name, "change to working directory"):
		return api.Invalid("spec.workingDir", "working directory %q: %v", t.WorkingDir, errno).WithHint("name a directory of the image")
	case strings.HasPrefix(e.Name, "set ulimit "):
		return api.Invalid("spec.resources.ulimits", "%s: %v", e.Name, errno).WithHint("the node's own limit is lower, and it may not raise it")
	case strings.HasPrefix(e.Name, "set sysctl "):
		return api.Invalid("spec.security.sysctls", "%s: %v", e.Name, errno).WithHint("the kernel refused the value")
	case strings.HasPrefix(e.Name, "mount "), strings.HasPrefix(e.Name, "open /"), strings.HasPrefix(e.Name, "make /"):
		return api.Invalid("spec.mounts", "%s in the instance: %v", e.Name, errno).
			WithHint("a link of the image leads to nothing, or the place is read-only: mount somewhere else")
	case errno == syscall.EAGAIN || errno == syscall.ENOMEM:
		return api.Errorf(api.CodeInsufficientCapacity, "%s: %v", e.Name, errno).WithHint("the node is out of processes or memory")
	}
	return err
}

// explainExec uses the words and the exit codes that a shell has for a command
// that cannot be run.
func explainExec(command string, e *launch.Error) error {
	switch errno := syscall.Errno(e.Errno); errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		if strings.Contains(command, "/") {
			return api.Errorf(api.CodeNotFound, "exec: %q: no such file or directory", command).InField("spec.command").
				WithHint("exit code 127: the file, or the interpreter it names, is not in the image")
		}
		return api.Errorf(api.CodeNotFound, "exec: %q: executable file not found in $PATH", command).InField("spec.command").
			WithHint("exit code 127: the image has no such command")
	case syscall.EACCES:
		return api.Invalid("spec.command", "exec: %q: permission denied", command).WithHint("exit code 126: the file is not executable for the user")
	case syscall.ENOEXEC:
		return api.Invalid("spec.command", "exec: %q: exec format error", command).WithHint("exit code 126: it is no program for this machine")
	default:
		return api.Invalid("spec.command", "exec: %q: %v", command, errno).WithHint("exit code 126")
	}
}

func notStopped(instance string) error {
	return api.Errorf(api.CodeConflict, "instance %s runs", instance).WithHint("stop it first")
}
