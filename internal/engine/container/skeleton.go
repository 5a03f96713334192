package container

import (
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/internal/linux/mount"
)

// makeSkeleton makes the lowest layer of every root: the directories and files
// that something is always mounted on. So a start writes nothing into the
// instance's own layer for those that the image lacks. Idempotent.
func makeSkeleton(dir string) error {
	for _, d := range []string{"dev", "proc", "sys", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, f := range []string{"hosts", "hostname", "resolv.conf"} {
		file, err := os.OpenFile(filepath.Join(dir, "etc", f), os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// layers are those of a task's root, top first.
func (e *Engine) layers(image []string) []string {
	if e.Base == "" {
		return image
	}
	return append(image[:len(image):len(image)], e.skeleton())
}

func (e *Engine) skeleton() string { return filepath.Join(e.Base, "skeleton") }

// under is the directory that layers and instances all lie below on one mount;
// "" when there is none such.
func (e *Engine) under(layers []string) string {
	if e.Base == "" || !e.onBase(e.Instances) {
		return ""
	}
	for _, d := range layers {
		if !e.onBase(filepath.Dir(d)) {
			return ""
		}
	}
	return e.Base
}

// onBase reports whether a directory is on the mount that Base is on, and
// remembers the answer.
func (e *Engine) onBase(dir string) bool {
	if same, ok := e.sameMount.Load(dir); ok {
		return same.(bool)
	}
	same := isBelow(dir, e.Base) && mount.Same(dir, e.Base)
	e.sameMount.Store(dir, same)
	return same
}
