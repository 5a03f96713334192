package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const disk = "/dev/vda"

// enterDisk loads the modules of the initramfs and goes on as the init of the
// disk. It returns only when that is not possible.
func enterDisk() error {
	if err := syscall.Mount("dev", "/dev", "devtmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for path := range strings.FieldsSeq(string(order)) {
		if err := loadModule(path); err != nil {
			return err
		}
	}
	if err := appears(disk); err != nil {
		return err
	}
	if err := syscall.Mount(disk, "/root", "ext4", syscall.MS_NOATIME, "prjquota"); err != nil {
		return fmt.Errorf("mount %s: %w", disk, err)
	}
	if err := syscall.Mount("/dev", "/root/dev", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move /dev: %w", err)
	}
	if err := os.Chdir("/root"); err != nil {
		return err
	}
	// The disk becomes the machine's root, on top of the initramfs, which
	// cannot be left by pivot_root.
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return syscall.Exec("/init", []string{"/init", "reap"}, environment)
}

// appears waits for a device that the kernel may still be finding.
func appears(path string) error {
	for range 3000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not appear", path)
}
