package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/api"
)

// env is what the benchmarks run in: a scratch directory, a daemon in it, and
// the peers that this machine can run.
type env struct {
	out    string
	dir    string // scratch, removed at the end
	binary string
	runs   int
	only   []string // peers to measure beside; all when empty

	core   string   // the only one that the daemon has; "" is all
	net    *os.File // the daemon's network namespace; nil is the benchmark's
	socket string
	client *api.Client
	daemon *exec.Cmd
	log    bytes.Buffer

	rootfs    string // a directory with busybox and stamp
	dockerPID int    // of dockerd, 0 while it does not run
	closers   []func()
}

func newEnv(ctx context.Context, binary, out string, runs int, flags ...string) (*env, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("run as root: it starts containers")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "virga-bench-")
	if err != nil {
		return nil, err
	}
	e := &env{out: out, dir: dir, binary: binary, runs: runs, socket: filepath.Join(dir, "virga.sock")}
	e.closing(func() { os.RemoveAll(dir) })
	if err := e.prepare(ctx, flags); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// prepare starts the daemon and gives it the image that all runs use.
func (e *env) prepare(ctx context.Context, flags []string) error {
	root, err := makeRoot(e.dir)
	if err != nil {
		return err
	}
	e.rootfs = root
	if err := e.startDaemon(flags); err != nil {
		return err
	}
	e.client = api.Dial(e.socket)
	e.closing(e.stopDaemon)
	if err := e.ready(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, e.log.String())
	}
	return e.importDir(ctx, "bench", e.rootfs)
}

// startDaemon starts the daemon in its directory.
func (e *env) startDaemon(flags []string) error {
	args := append([]string{e.binary, "server", "--data-dir", filepath.Join(e.dir, "data"), "--socket", e.socket}, flags...)
	if e.core != "" {
		args = append([]string{"taskset", "-c", e.core}, args...)
	}
	e.daemon = exec.Command(args[0], args[1:]...)
	e.daemon.Stdout, e.daemon.Stderr = &e.log, &e.log
	if err := startIn(e.net, e.daemon); err != nil {
		return fmt.Errorf("start virga server: %w", err)
	}
	return nil
}

func (e *env) ready(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := e.client.Version(ctx)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
	}
}

// importDir makes an image of a directory.
func (e *env) importDir(ctx context.Context, image, dir string) error {
	tar := exec.CommandContext(ctx, "tar", "-C", dir, "-c", ".")
	body, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return err
	}
	for p, err := range e.client.Import(ctx, image, body) {
		if err != nil {
			return err
		}
		if p.Error != nil {
			return p.Error
		}
	}
	return tar.Wait()
}

// closing has f called when the benchmarks are over, last first.
func (e *env) closing(f func()) { e.closers = append(e.closers, f) }

func (e *env) close() {
	for len(e.closers) > 0 {
		last := len(e.closers) - 1
		f := e.closers[last]
		e.closers = e.closers[:last]
		f()
	}
}

func (e *env) stopDaemon() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all, _ := e.client.Instances(ctx, api.InstanceFilter{})
	for _, in := range all {
		e.client.Remove(ctx, in.ID, true, true)
	}
	e.client.Close()
	end(e.daemon)
}

// end ends a process that the benchmark started, and waits for it.
func end(cmd *exec.Cmd) {
	cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		cmd.Process.Kill()
		<-done
	}
}

// machine prints and records what the figures were taken on.
func (e *env) machine(ctx context.Context) {
	m := map[string]any{"cpus": runtime.NumCPU(), "go": runtime.Version(), "time": time.Now().UTC().Format(time.RFC3339)}
	if n, err := e.client.Node(ctx); err == nil {
		m["kernel"], m["virga"], m["cgroup"], m["memory"] = n.Kernel, n.Version, n.Cgroup, n.Capacity.Physical.Memory
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				m["cpu"] = strings.TrimSpace(v)
			}
		}
	}
	b, _ := json.Marshal(m)
	fmt.Println(string(b))
	os.WriteFile(filepath.Join(e.out, "machine.json"), append(b, '\n'), 0o644)
}
