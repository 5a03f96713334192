package vm

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Kernel is an unpacked kernel package.
type Kernel struct {
	Image   string // path of the bzImage
	Modules string // directory of the .ko files
}

// FindKernel returns the cached kernel, downloading it when there is none.
// module is the directory of this module.
func FindKernel(ctx context.Context, module string) (Kernel, error) {
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(module, "scripts/vm-kernel.sh"))
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return Kernel{}, fmt.Errorf("get a kernel: %w\n%s", err, errs.String())
	}
	dir := string(bytes.TrimSpace(out))
	image, err := one(filepath.Join(dir, "boot/vmlinuz-*"))
	if err != nil {
		return Kernel{}, err
	}
	modules, err := one(filepath.Join(dir, "lib/modules/*"))
	return Kernel{Image: image, Modules: modules}, err
}

func one(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s: %d files, want one", pattern, len(found))
	}
	return found[0], err
}
