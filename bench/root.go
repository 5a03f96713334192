package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// makeRoot makes the root file system that virga and all peers run: busybox,
// stamp, and this program for its probes.
func makeRoot(dir string) (string, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("busybox: install busybox-static")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	probes, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	if err := static(self); err != nil {
		return "", err
	}
	files := map[string][]byte{
		"bin/bench":   probes,
		"bin/busybox": program,
		"bin/stamp":   stampProgram(),
		"etc/passwd":  []byte("root:x:0:0:root:/root:/bin/sh\n"),
		"etc/group":   []byte("root:x:0:\n"),
	}
	for name, body := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(root, name), body, mode); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"true", "sleep", "sh"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			return "", err
		}
	}
	return root, nil
}

// static reports, as an error, that a program needs a loader, which the root
// file system does not have.
func static(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically and would not run in an instance: build it with CGO_ENABLED=0, as make bench does", program)
		}
	}
	return nil
}
