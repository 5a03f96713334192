package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What is measured on one core runs on core servedCore, and who asks for it
// and who answers behind it on askedCore.
const (
	servedCore = "0"
	askedCore  = "1"
)

// pinned is a second daemon, which has one core.
func (e *env) pinned(ctx context.Context) (*env, error) {
	dir, err := os.MkdirTemp(e.dir, "pinned-")
	if err != nil {
		return nil, err
	}
	p := &env{out: e.out, dir: dir, binary: e.binary, runs: e.runs, only: e.only, socket: filepath.Join(dir, "virga.sock"), core: servedCore}
	if err := p.prepare(ctx, nil); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// on is a command on one core.
func on(ctx context.Context, core, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", core, program}, args...)...)
}

// startPeer starts a server of a peer's, for one core, until stop is called.
func startPeer(core, program string, args ...string) (stop func(), err error) {
	cmd := on(context.Background(), core, program, args...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return func() { end(cmd) }, nil
}

// busy is how long a core has been at work since the machine started.
func busy(core string) (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != "cpu"+core {
			continue
		}
		ticks := 0
		for i, text := range f[1:9] { // user, nice, system, idle, iowait, irq, softirq, steal
			n, err := strconv.Atoi(text)
			if err != nil {
				return 0, err
			}
			if i < 3 || i == 5 || i == 6 {
				ticks += n
			}
		}
		return time.Duration(ticks) * time.Second / 100, nil // USER_HZ
	}
	return 0, fmt.Errorf("/proc/stat has no core %s", core)
}

// banner is what a program says of itself, its first line.
func banner(ctx context.Context, program, flag string) string {
	out, _ := exec.CommandContext(ctx, program, flag).CombinedOutput() // some say it and fail
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// freePorts are ports of loopback that nobody has now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
