package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
)

// crun and runc run bare bundles: all namespaces, no network set-up, no
// image, no seccomp profile.

func (e *env) runc(ctx context.Context) (*peer, error) { return e.bundle(ctx, "runc", nil) }

// crun refuses a machine with hybrid cgroups. In a mount namespace in which
// the second hierarchy has no list of controllers it works.
func (e *env) crun(ctx context.Context) (*peer, error) {
	const controllers = "/sys/fs/cgroup/unified/cgroup.controllers"
	if _, err := os.Stat(controllers); err != nil {
		return e.bundle(ctx, "crun", nil)
	}
	r, err := newRoom(func() error { return syscall.Mount("/dev/null", controllers, "", syscall.MS_BIND, "") })
	if err != nil {
		return nil, err
	}
	e.closing(r.close)
	return e.bundle(ctx, "crun", r.start)
}

func (e *env) bundle(ctx context.Context, program string, start func(*exec.Cmd) error) (*peer, error) {
	if _, err := exec.LookPath(program); err != nil {
		return nil, err
	}
	dir := filepath.Join(e.dir, program)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(dir, "config.json")); err != nil { // of an earlier benchmark
		return nil, err
	}
	spec := exec.CommandContext(ctx, program, "spec")
	spec.Dir = dir
	if out, err := spec.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s spec: %w: %s", program, err, out)
	}
	var n atomic.Int64
	p := &peer{name: program + " run " + version(ctx, program), start: start}
	// A bundle for each argument list, made before it is timed.
	made := map[string]string{}
	// The name is that of a cgroup, too: one that an ended run left frozen would
	// hold the next of that name for ever.
	p.command = func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, program, "--root", filepath.Join(dir, "state"), "run", "--bundle", made[strings.Join(args, " ")], fmt.Sprintf("bench-%s-%d-%d", program, os.Getpid(), n.Add(1)))
	}
	for _, args := range [][]string{{"/bin/true"}, {"/bin/stamp"}} {
		b := filepath.Join(dir, filepath.Base(args[0]))
		if err := writeBundle(b, filepath.Join(dir, "config.json"), e.rootfs, args); err != nil {
			return nil, err
		}
		made[strings.Join(args, " ")] = b
	}
	return p, nil
}

// writeBundle writes a bundle from a runtime's own default specification.
func writeBundle(dir, spec, rootfs string, args []string) error {
	b, err := os.ReadFile(spec)
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	c["root"] = map[string]any{"path": rootfs, "readonly": true}
	process, ok := c["process"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no process", spec)
	}
	process["terminal"], process["args"] = false, args
	delete(process, "rlimits") // raising them needs more than root may have here
	if b, err = json.Marshal(c); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644)
}

// room is a thread with its own mount namespace, in which commands are
// started. Starting one costs what it costs elsewhere.
type room struct {
	work chan func()
	done chan struct{}
}

func newRoom(furnish func() error) (*room, error) {
	r := &room{work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go func() {
		defer close(r.done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := syscall.Unshare(syscall.CLONE_NEWNS | syscall.CLONE_FS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = furnish()
		}
		ready <- err
		if err != nil {
			return
		}
		for f := range r.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("mount namespace: %w", err)
	}
	return r, nil
}

func (r *room) start(cmd *exec.Cmd) error {
	err := make(chan error)
	r.work <- func() { err <- cmd.Start() }
	return <-err
}

func (r *room) close() {
	close(r.work)
	<-r.done
}
