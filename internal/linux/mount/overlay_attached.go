package mount

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attached makes the overlay on a kernel that wants its layers attached
// somewhere: in a mount namespace of one thread, so that nobody else sees them
// and nothing is left if the process dies. The overlay keeps its own hold on
// them.
func (o Overlay) attached(layers []*os.File) (*os.File, error) {
	type result struct {
		m   *os.File
		err error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and its
		// namespace with the thread.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// What /proc/self says of namespaces is what the first thread has.
			// While this goroutine holds it, another gets another thread.
			m, err := o.attached(layers)
			runtime.UnlockOSThread()
			done <- result{m, err}
			return
		}
		m, err := o.apart(layers)
		done <- result{m, err}
	}()
	r := <-done
	return r.m, r.err
}

// apart changes the namespace and the working directory of its thread.
func (o Overlay) apart(layers []*os.File) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("new mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	// Any directory will do to attach them in, and this one exists.
	at := o.Layers[0]
	if err := unix.Mount("staging", at, "tmpfs", 0, "mode=755"); err != nil {
		return nil, fmt.Errorf("mount tmpfs on %s: %w", at, err)
	}
	if err := unix.Chdir(at); err != nil {
		return nil, &os.PathError{Op: "chdir", Path: at, Err: err}
	}
	// Names relative to the working directory: all options fit in a page.
	var names []string
	for i, l := range layers {
		name := strconv.Itoa(i)
		if err := unix.Mkdir(name, 0o755); err != nil {
			return nil, &os.PathError{Op: "mkdir", Path: name, Err: err}
		}
		if err := Attach(l, name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	options := "lowerdir=" + strings.Join(names[:len(o.Layers)], ":")
	if o.Writable != "" {
		last := names[len(names)-1]
		options += ",upperdir=" + last + "/upper,workdir=" + last + "/work"
	}
	if o.Volatile {
		options += ",volatile"
	}
	const root = "root"
	if err := unix.Mkdir(root, 0o755); err != nil {
		return nil, &os.PathError{Op: "mkdir", Path: root, Err: err}
	}
	err := AsOwner(o.IDs, func() error { return unix.Mount("overlay", root, "overlay", 0, options) })
	if err != nil {
		return nil, fmt.Errorf("mount overlay of %d layers: %w", len(o.Layers), err)
	}
	return Clone(root, false)
}
