package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// mkfs is the program that makes file systems, of e2fsprogs.
const mkfs = "mkfs.ext4"

// Formatter is the path of the program that makes file systems.
func Formatter() (string, error) { return program(mkfs) }

// program finds a program of e2fsprogs, also where PATH has no sbin.
func program(name string) (string, error) {
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// Format makes file a sparse one of size bytes with an empty ext4 in it. It
// takes about 10 ms whatever the size: what is zero is not written.
func Format(ctx context.Context, file string, size int64) error {
	program, err := Formatter()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = f.Truncate(size - size%blockSize)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	// No blocks for root alone, and one inode per 16 KiB as is usual. Of the
	// journal and the tables of inodes the kernel need not clear anything.
	args := []string{"-q", "-F", "-b", fmt.Sprint(blockSize), "-m", "0", "-i", "16384", "-I", "256", "-E"}
	extended := "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=0:0"
	err = run(ctx, program, append(args, extended+",assume_storage_prezeroed=1", file))
	if err != nil && ctx.Err() == nil { // that one is of e2fsprogs 1.47
		err = run(ctx, program, append(args, extended, file))
	}
	return err
}

// run runs a program; its last line is the error.
func run(ctx context.Context, program string, args []string) error {
	out := &bytes.Buffer{}
	c := exec.CommandContext(ctx, program, args...)
	c.Stdout, c.Stderr = out, out
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, lastLine(out.String()))
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// Mount mounts the file system of a loop device on dir.
func Mount(device, dir string) error {
	m, err := mount.New("ext4", mount.NoDev, mount.Param{Key: "source", Value: device},
		mount.Param{Key: "discard"}, mount.Param{Key: "errors", Value: "remount-ro"})
	if err != nil {
		return err
	}
	defer m.Close()
	return mount.Attach(m, dir)
}

// resizeFS is EXT4_IOC_RESIZE_FS: _IOW('f', 16, __u64) of fs/ext4/ext4.h.
const resizeFS = 0x40086610

// ErrGrowth says that a file system in use cannot grow.
var ErrGrowth = errors.New("a file system in use grows only for who has CAP_SYS_RESOURCE")

// TryGrowth finds out whether a file system in use can grow: it fails with
// ErrGrowth.
func TryGrowth() error {
	have, err := caps.Bounding()
	if need, _ := caps.Parse("SYS_RESOURCE"); err == nil && !have.Has(need) {
		err = ErrGrowth
	}
	return err
}

// Grow makes the mounted ext4 at dir, on a loop device over file, hold size
// bytes. What is there stays usable meanwhile.
func Grow(file, dir string, size int64) error {
	if err := TryGrowth(); err != nil {
		return err
	}
	size -= size % blockSize
	st, err := os.Stat(file)
	if err != nil {
		return err
	}
	if st.Size() < size {
		if err := os.Truncate(file, size); err != nil {
			return err
		}
	}
	d, err := OpenLoop(file)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := follow(d); err != nil {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	blocks := uint64(size / blockSize)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), resizeFS, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("grow the file system at %s: %w", dir, errno)
	}
	return nil
}

// GrowUnused is Grow of a file system that is mounted nowhere.
func GrowUnused(ctx context.Context, file string, size int64) error {
	p, err := program("resize2fs")
	if err != nil {
		return err
	}
	size -= size % blockSize
	if err := os.Truncate(file, size); err != nil {
		return err
	}
	// Forced: else it wants a check of what was unmounted in good order.
	return run(ctx, p, []string{"-f", file, fmt.Sprint(size/1024) + "K"})
}
