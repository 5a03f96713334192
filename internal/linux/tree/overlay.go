package tree

import (
	"fmt"
	"path"

	"golang.org/x/sys/unix"
)

// opaqueAttr tells overlayfs that a directory hides what lies below it.
const opaqueAttr = "trusted.overlay.opaque"

// Whiteout makes name look deleted to overlayfs. A directory that this tree
// holds already is made opaque instead; a file hides what lies below by itself.
func (t *Tree) Whiteout(name string) error {
	parent, base, err := t.enter(name)
	if err != nil {
		return err
	}
	t.hidden[path.Clean(name)] = true
	err = unix.Mknodat(parent, base, unix.S_IFCHR, 0)
	if err == unix.EEXIST {
		fd, err := openDir(parent, base)
		if err != nil {
			return nil
		}
		unix.Close(fd)
		return t.Opaque(name)
	}
	if err != nil {
		return fmt.Errorf("make whiteout %s: %w", name, err)
	}
	return nil
}

// Opaque makes a directory hide what lies below it, and makes the directory
// where it is missing.
func (t *Tree) Opaque(name string) error {
	parent, _, err := t.enter(path.Join(name, "x"))
	if err != nil {
		return err
	}
	fd, err := openDir(parent, ".")
	if err != nil {
		return fmt.Errorf("open directory %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Fsetxattr(fd, opaqueAttr, []byte("y"), 0); err != nil {
		return fmt.Errorf("make directory %s opaque: %w", name, err)
	}
	return nil
}
