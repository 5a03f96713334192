package mount

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Param is a parameter of a file system: a string, a layer given as a file, or
// a flag when neither is set.
type Param struct {
	Key, Value string
	File       *os.File
}

// New mounts a file system, detached, with the attributes attrs.
func New(fstype string, attrs int, params ...Param) (*os.File, error) {
	return newAs(0, fstype, attrs, params)
}

// newAs is New by the host id owner.
func newAs(owner uint32, fstype string, attrs int, params []Param) (*os.File, error) {
	ctx, err := retry(func() (int, error) { return unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC) })
	if err != nil {
		return nil, fmt.Errorf("open file system %s: %w", fstype, err)
	}
	defer unix.Close(ctx)
	for _, p := range params {
		if err := set(ctx, p); err != nil {
			return nil, fmt.Errorf("file system %s: set %s: %w%s", fstype, p.Key, err, complaint(ctx))
		}
	}
	err = AsOwner(owner, func() error {
		_, err := retry(func() (int, error) { return 0, unix.FsconfigCreate(ctx) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create file system %s: %w%s", fstype, err, complaint(ctx))
	}
	m, err := retry(func() (int, error) { return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, attrs) })
	if err != nil {
		return nil, fmt.Errorf("mount file system %s: %w", fstype, err)
	}
	return os.NewFile(uintptr(m), fstype), nil
}

func set(ctx int, p Param) error {
	_, err := retry(func() (int, error) {
		switch {
		case p.File != nil:
			return 0, unix.FsconfigSetFd(ctx, p.Key, int(p.File.Fd()))
		case p.Value != "":
			return 0, unix.FsconfigSetString(ctx, p.Key, p.Value)
		}
		return 0, unix.FsconfigSetFlag(ctx, p.Key)
	})
	return err
}

// complaint reads what the kernel has to say about a refused configuration.
func complaint(ctx int) string {
	var b [256]byte
	n, err := unix.Read(ctx, b[:])
	if err != nil || n <= 0 {
		return ""
	}
	return ": " + strings.TrimSpace(string(b[:n]))
}
