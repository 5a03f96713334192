package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// TryQuota finds out whether the file system of dir keeps a directory within
// its limit, by writing too much. An error says what is missing.
func TryQuota(dir string) (err error) {
	at, err := os.MkdirTemp(dir, ".quota-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(at)
	const limit = 64 << 10
	if err := Limit(at, limit); err != nil {
		return fmt.Errorf("no project quotas: %w", err)
	}
	defer func() { err = errors.Join(err, Limit(at, 0)) }()
	err = Bound(func() error { return os.WriteFile(filepath.Join(at, "f"), make([]byte, 4*limit), 0o600) })
	if errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.ENOSPC) {
		return nil
	}
	if err == nil {
		err = errors.New("project quotas are counted but not kept: mount with prjquota")
	}
	return err
}

// TryReflink finds out whether files of dir can share extents.
func TryReflink(dir string) error {
	from, err := os.CreateTemp(dir, ".reflink-")
	if err != nil {
		return err
	}
	defer os.Remove(from.Name())
	defer from.Close()
	if _, err := from.Write(make([]byte, blockSize)); err != nil {
		return err
	}
	to, err := os.CreateTemp(dir, ".reflink-")
	if err != nil {
		return err
	}
	defer os.Remove(to.Name())
	defer to.Close()
	return Reflink(int(to.Fd()), from)
}

// TryLoop finds out whether there are loop devices and the program that makes
// file systems for them.
func TryLoop() (program string, err error) {
	if program, err = Formatter(); err != nil {
		return "", err
	}
	f, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("no loop devices: %w", err)
	}
	return program, f.Close()
}
