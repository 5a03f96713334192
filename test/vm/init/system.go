package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

var environment = []string{"PATH=/bin:/usr/bin:/sbin:/usr/sbin", "HOME=/root", "TMPDIR=/tmp", "LANG=C.UTF-8"}

// setUp makes the disk's root into a system: file systems, names for busybox's
// programs, and a network that leads nowhere.
func setUp() error {
	for _, m := range []struct{ kind, at, options string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"cgroup2", "/sys/fs/cgroup", "nsdelegate,memory_recursiveprot"},
		{"bpf", "/sys/fs/bpf", ""},
		{"tmpfs", "/run", "mode=755"},
		{"devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666"},
		{"tmpfs", "/dev/shm", "mode=1777"},
		{"mqueue", "/dev/mqueue", ""},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.kind, m.at, m.kind, syscall.MS_NOSUID, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	// As every distribution does: what is mounted later is seen by all.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share the root: %w", err)
	}
	for link, to := range map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "fd/0", "/dev/stdout": "fd/1", "/dev/stderr": "fd/2"} {
		if err := os.Symlink(to, link); err != nil {
			return err
		}
	}
	for _, line := range []string{
		"busybox --install -s /bin",
		"hostname guest",
		"ip link set lo up",
		"ip link add uplink type dummy",
		"ip address add 192.0.2.15/24 dev uplink",
		"ip link set uplink up",
		"ip route add default via 192.0.2.1",
	} {
		if err := command(line); err != nil {
			return err
		}
	}
	return enterLeaf("/sys/fs/cgroup/system.slice/test.service")
}

// enterLeaf puts this process where a service manager would have put it: with
// version 2, a group with processes cannot hand controllers down.
func enterLeaf(group string) error {
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0)
}

func command(line string) error {
	f := strings.Fields(line)
	cmd := exec.Command("/bin/busybox", f...)
	if f[0] == "busybox" {
		cmd = exec.Command("/bin/busybox", f[1:]...)
	}
	cmd.Env = environment
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	return nil
}
