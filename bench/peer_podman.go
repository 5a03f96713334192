package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
)

// podmanTool is podman with its storage in scratch.
func (e *env) podmanTool(ctx context.Context, args ...string) *exec.Cmd {
	dir := filepath.Join(e.dir, "podman")
	return exec.CommandContext(ctx, "podman", append([]string{
		"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"),
		"--cgroup-manager", "cgroupfs", "--events-backend", "none", "--storage-driver", "overlay", "--runtime", "runc",
	}, args...)...)
}

// podman runs without a network: its default one needs a firewall set up on
// the node itself.
func (e *env) podman(ctx context.Context) (*peer, error) {
	if _, err := exec.LookPath("podman"); err != nil {
		return nil, err
	}
	tar := exec.CommandContext(ctx, "sh", "-c", `tar -C "$0" -c . > "$1"`, e.rootfs, filepath.Join(e.dir, "root.tar"))
	if out, err := tar.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("tar: %w: %s", err, out)
	}
	if out, err := e.podmanTool(ctx, "import", filepath.Join(e.dir, "root.tar"), "bench").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("import: %w: %s", err, out)
	}
	e.closing(func() {
		e.podmanTool(context.Background(), "rm", "-f", "-a").Run()
		// Its storage is mounted on itself while it runs.
		syscall.Unmount(filepath.Join(e.dir, "podman/root/overlay"), syscall.MNT_DETACH)
	})
	return &peer{
		name: "podman run " + version(ctx, "podman"),
		command: func(ctx context.Context, args ...string) *exec.Cmd {
			return e.podmanTool(ctx, append([]string{"run", "--rm", "--network", "none",
				"--ulimit", "nproc=1000:1000", "--ulimit", "nofile=1024:1024", "bench"}, args...)...)
		},
	}, nil
}
