package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// containerd and dockerd are daemons. They run in scratch, in a network
// namespace of their own so that the node's rules stay as they are, and are
// ended by their process ids.

func (e *env) ctrTool(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ctr", append([]string{"--address", filepath.Join(e.dir, "containerd.sock"), "--namespace", "bench"}, args...)...)
}

// containerd starts containerd unless it runs.
func (e *env) containerd(ctx context.Context) error {
	socket := filepath.Join(e.dir, "containerd.sock")
	if _, err := os.Stat(socket); err == nil {
		return nil
	}
	config := filepath.Join(e.dir, "containerd.toml")
	text := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		filepath.Join(e.dir, "containerd"), filepath.Join(e.dir, "containerd-run"), socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	_, err := e.background(ctx, func() error { return e.ctrTool(ctx, "version").Run() }, "containerd", "--config", config)
	return err
}

func (e *env) ctr(ctx context.Context) (*peer, error) {
	for _, program := range []string{"containerd", "ctr"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, err
		}
	}
	if err := e.containerd(ctx); err != nil {
		return nil, err
	}
	var n atomic.Int64
	return &peer{
		name: "ctr run " + version(ctx, "containerd"),
		command: func(ctx context.Context, args ...string) *exec.Cmd {
			id := fmt.Sprintf("bench-%d", n.Add(1))
			return e.ctrTool(ctx, append([]string{"run", "--rm", "--rootfs", "--read-only", e.rootfs, id}, args...)...)
		},
	}, nil
}

func (e *env) dockerTool(ctx context.Context, args ...string) *exec.Cmd {
	program := "/usr/bin/docker" // beside the daemon of the same package
	if _, err := os.Stat(program); err != nil {
		program = "docker"
	}
	return exec.CommandContext(ctx, program, append([]string{"--host", "unix://" + filepath.Join(e.dir, "docker.sock")}, args...)...)
}

// dockerd starts dockerd unless it runs.
func (e *env) dockerd(ctx context.Context) error {
	if e.dockerPID != 0 {
		return nil
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		return err
	}
	dir := filepath.Join(e.dir, "docker")
	// An empty file instead of the one that the machine may have.
	config := filepath.Join(e.dir, "docker.json")
	if err := os.WriteFile(config, []byte("{}\n"), 0o600); err != nil {
		return err
	}
	pid, err := e.background(ctx, func() error { return e.dockerTool(ctx, "version").Run() },
		"dockerd", "--host", "unix://"+filepath.Join(e.dir, "docker.sock"), "--data-root", filepath.Join(dir, "root"),
		"--exec-root", filepath.Join(dir, "run"), "--pidfile", filepath.Join(dir, "pid"), "--config-file", config)
	e.dockerPID = pid
	return err
}

// dockerImport gives Docker an image of a directory.
func (e *env) dockerImport(ctx context.Context, image, dir string) error {
	load := e.dockerTool(ctx, "import", "-", image)
	tar := exec.CommandContext(ctx, "tar", "-C", dir, "-c", ".")
	var err error
	if load.Stdin, err = tar.StdoutPipe(); err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return err
	}
	out, err := load.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("docker import: %w: %s", err, out)
	}
	return errors.Join(err, tar.Wait())
}

func (e *env) docker(ctx context.Context) (*peer, error) {
	if err := e.dockerd(ctx); err != nil {
		return nil, err
	}
	if err := e.dockerImport(ctx, "bench", e.rootfs); err != nil {
		return nil, err
	}
	return &peer{
		name: "docker run " + version(ctx, "dockerd"),
		command: func(ctx context.Context, args ...string) *exec.Cmd {
			return e.dockerTool(ctx, append([]string{"run", "--rm", "bench"}, args...)...)
		},
	}, nil
}

// background starts a daemon in a network namespace of its own, and returns its
// process id when it answers.
func (e *env) background(ctx context.Context, answers func() error, program string, args ...string) (int, error) {
	cmd := exec.Command(program, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := answers()
		if err == nil {
			e.closing(func() { end(cmd) })
			return cmd.Process.Pid, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			end(cmd)
			return 0, fmt.Errorf("%s does not answer: %w: %s", program, err, tail(log.String(), 400))
		}
	}
}

// tail is the end of a text, at most n bytes.
func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
