package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// blockSize is that of loop devices and of the file systems on them: a
// multiple of what any disk below wants, so that direct I/O is possible.
const blockSize = 4096

// Loop is a loop device and the file it shows.
type Loop struct {
	Device string // /dev/loopN
	File   string // path, as the kernel knows it now
}

// OpenLoop returns a loop device over file, open: the one there is already, or
// a new one. A file that two devices show is destroyed by the file systems on
// them, so calls for one file must not be concurrent. The device goes with its
// last user: whoever holds the returned file, or a file system mounted on it.
func OpenLoop(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	loops, err := Loops()
	if err != nil {
		return nil, err
	}
	var want unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &want); err != nil {
		return nil, &os.PathError{Op: "stat", Path: file, Err: err}
	}
	for _, l := range loops {
		if d, err := l.open(want); err == nil && d != nil {
			return d, nil
		}
	}
	return newLoop(f)
}

// open opens a device if it shows that file.
func (l Loop) open(want unix.Stat_t) (*os.File, error) {
	d, err := os.OpenFile(l.Device, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	st, err := unix.IoctlLoopGetStatus64(int(d.Fd()))
	if err == nil && st.Device == want.Dev && st.Inode == want.Ino {
		return d, nil
	}
	d.Close()
	return nil, err
}

func newLoop(f *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(f.Fd()), Size: blockSize}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO
	copy(config.Info.File_name[:63], f.Name())
	const others = 64 // programs that may take the free device before us
	for range others {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		d, err := os.OpenFile("/dev/loop"+strconv.Itoa(n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(d.Fd()), &config)
		if errors.Is(err, unix.EINVAL) && config.Info.Flags&unix.LO_FLAGS_DIRECT_IO != 0 {
			// The file system has no direct I/O. The cache then holds data twice.
			config.Info.Flags &^= unix.LO_FLAGS_DIRECT_IO
			err = unix.IoctlLoopConfigure(int(d.Fd()), &config)
		}
		if err == nil {
			return d, nil
		}
		d.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("show %s as %s: %w", f.Name(), d.Name(), err)
		}
	}
	return nil, errors.New("no loop device stays free")
}

// Loops lists the loop devices in use.
func Loops() ([]Loop, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var all []Loop
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has gone
		}
		name := filepath.Base(filepath.Dir(filepath.Dir(f)))
		all = append(all, Loop{"/dev/" + name, strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), " (deleted)")})
	}
	return all, nil
}

// Shown reports whether a loop device shows the file now at path.
func Shown(file string) (bool, error) {
	loops, err := Loops()
	if err != nil {
		return false, err
	}
	var want unix.Stat_t
	if err := unix.Stat(file, &want); err != nil {
		return false, &os.PathError{Op: "stat", Path: file, Err: err}
	}
	for _, l := range loops {
		if d, err := l.open(want); err == nil && d != nil {
			return true, d.Close()
		}
	}
	return false, nil
}

// Release lets a device go as soon as nobody uses it. Idempotent.
func (l Loop) Release() error {
	d, err := os.Open(l.Device)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := unix.IoctlRetInt(int(d.Fd()), unix.LOOP_CLR_FD); err != nil && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("release %s: %w", l.Device, err)
	}
	return nil
}

// follow makes a device as large as its file is now.
func follow(d *os.File) error {
	if _, err := unix.IoctlRetInt(int(d.Fd()), unix.LOOP_SET_CAPACITY); err != nil {
		return fmt.Errorf("grow %s: %w", d.Name(), err)
	}
	return nil
}
