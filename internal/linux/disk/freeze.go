package disk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// From include/uapi/linux/fs.h: _IOWR('X', 119, int) and _IOWR('X', 120, int).
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// Freeze brings everything written to the file system at dir to its device,
// and makes further writes wait until Thaw. A frozen one stays so when the
// caller dies.
func Freeze(dir string) error { return freeze(dir, fiFreeze, "freeze", unix.EBUSY) }

// Thaw ends Freeze. It is no error when nothing is frozen.
func Thaw(dir string) error { return freeze(dir, fiThaw, "thaw", unix.EINVAL) }

func freeze(dir string, request uint, verb string, already unix.Errno) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := unix.IoctlRetInt(int(f.Fd()), request); err != nil && !errors.Is(err, already) {
		return fmt.Errorf("%s the file system at %s: %w", verb, dir, err)
	}
	return nil
}
