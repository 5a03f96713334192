package mount

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// FileIn makes a file in the file system of the detached mount dir, and a
// detached mount of it. The file belongs to the host id owner.
func FileIn(dir *os.File, name string, owner uint32, contents []byte) (*os.File, error) {
	d := int(dir.Fd())
	fd, err := retry(func() (int, error) {
		return unix.Openat(d, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	})
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, 0o644); err != nil { // the umask took some
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if err := unix.Fchown(fd, int(owner), int(owner)); err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	for len(contents) > 0 {
		n, err := retry(func() (int, error) { return unix.Write(fd, contents) })
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		contents = contents[n:]
	}
	return cloneAt(d, name, false)
}
