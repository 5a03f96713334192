package mount

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// DirIn makes a directory in the file system of the mount dir. It belongs to
// the node's root.
func DirIn(dir *os.File, name string) error {
	_, err := retry(func() (int, error) { return 0, unix.Mkdirat(int(dir.Fd()), name, 0o755) })
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// FileIn makes a file in the file system of the mount dir. It belongs to the
// host id owner.
func FileIn(dir *os.File, name string, owner uint32, contents []byte) error {
	d := int(dir.Fd())
	fd, err := retry(func() (int, error) {
		return unix.Openat(d, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	})
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, 0o644); err != nil { // the umask took some
		return fmt.Errorf("make %s: %w", name, err)
	}
	if err := unix.Fchown(fd, int(owner), int(owner)); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	for len(contents) > 0 {
		n, err := retry(func() (int, error) { return unix.Write(fd, contents) })
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		contents = contents[n:]
	}
	return nil
}
