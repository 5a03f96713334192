package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// toolsImage has iperf3 beside what the bench image has, for virga and for
// Docker.
const toolsImage = "bench-tools"

// toolsRoot is the directory with the image's files.
func (e *env) toolsRoot() string { return filepath.Join(e.dir, "tools") }

// importTools gives virga the image toolsImage.
func (e *env) importTools(ctx context.Context) error {
	root := e.toolsRoot()
	if _, err := os.Stat(root); err == nil {
		return nil
	}
	if err := e.rootWith(ctx, root, "iperf3"); err != nil {
		return err
	}
	return e.importDir(ctx, toolsImage, root)
}

// rootWith makes root the bench image's with one of this machine's programs and
// the libraries it needs.
func (e *env) rootWith(ctx context.Context, root, name string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-a", e.rootfs, root).CombinedOutput(); err != nil {
		return fmt.Errorf("copy root: %w: %s", err, out)
	}
	program, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%w: install %s", err, name)
	}
	files, err := libraries(ctx, program)
	if err != nil {
		return err
	}
	for _, file := range append(files, program) {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		to := filepath.Join(root, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, b, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

// libraries are the files that a dynamic program needs, by what ldd says.
func libraries(ctx context.Context, program string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", program, err)
	}
	var files []string
	for line := range strings.Lines(string(out)) {
		for _, f := range strings.Fields(line) {
			if strings.HasPrefix(f, "/") {
				files = append(files, f)
				break
			}
		}
	}
	return files, nil
}
