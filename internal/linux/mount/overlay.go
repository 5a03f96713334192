package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Overlay describes an overlay of read-only layers under a writable one.
type Overlay struct {
	Layers []string // directories, top first
	// Writable is a directory that holds, or gets, the directories upper and
	// work; "" makes the overlay read-only.
	Writable string
	// UserNS, when not nil, shifts every layer: files stored as owned by 0
	// appear as owned by the namespace's 0, and the other way for new ones.
	UserNS *os.File
	// IDs is the host id of UserNS's 0.
	IDs uint32
	// Under, when not "", is a directory that all of these lie below on one
	// mount, which is then cloned once and not for each of them.
	Under string
	// Volatile leaves out every sync, also those that programs ask for: for a
	// writable layer that nobody will see again. It can be mounted once, or
	// again after Reset.
	Volatile bool
	// Release, when not nil, is given the clones of the layers to close, which
	// takes a while.
	Release func(...*os.File)
}

// Mount makes the overlay, detached.
func (o Overlay) Mount() (*os.File, error) {
	if o.Under != "" {
		if m, err := o.ofOne(); err == nil {
			return m, nil
		}
	}
	layers, err := o.open()
	defer o.close(layers)
	if err != nil {
		return nil, err
	}
	m, err := o.ofDetached(layers)
	// Before 6.13 a kernel takes no detached layers, before 6.5 none by
	// descriptor.
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return o.attached(layers)
	}
	return m, err
}

// MountDetached makes the overlay only where the kernel takes layers that are
// attached nowhere.
func (o Overlay) MountDetached() (*os.File, error) {
	layers, err := o.open()
	defer o.close(layers)
	if err != nil {
		return nil, err
	}
	return o.ofDetached(layers)
}

// Reset lets a volatile overlay be mounted once more.
func (o Overlay) Reset() error { return os.RemoveAll(filepath.Join(o.Writable, "work")) }

// makeDirs makes what Writable has to hold.
func (o Overlay) makeDirs() error {
	for _, d := range []string{"upper", "work"} {
		if err := os.Mkdir(filepath.Join(o.Writable, d), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// clone makes a detached mount with the ids shifted.
func (o Overlay) clone(dir string) (*os.File, error) {
	m, err := Clone(dir, false)
	if err != nil {
		return nil, err
	}
	if o.UserNS == nil {
		err = Private(m)
	} else if err = privateMapped(m, o.UserNS); err != nil {
		err = fmt.Errorf("layer %s: %w", dir, err)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// open makes one detached mount per layer, the writable one last.
func (o Overlay) open() ([]*os.File, error) {
	dirs := o.Layers
	if o.Writable != "" {
		if err := o.makeDirs(); err != nil {
			return nil, err
		}
		dirs = append(dirs[:len(dirs):len(dirs)], o.Writable)
	}
	var layers []*os.File
	for _, d := range dirs {
		m, err := o.clone(d)
		if err != nil {
			return layers, err
		}
		layers = append(layers, m)
	}
	return layers, nil
}

// ofDetached names the layers by their descriptors.
func (o Overlay) ofDetached(layers []*os.File) (*os.File, error) {
	params := []Param{{Key: "source", Value: "overlay"}}
	for i := range o.Layers {
		params = append(params, Param{Key: "lowerdir+", File: layers[i]})
	}
	if o.Writable != "" {
		// A magic link leads into the detached mount without a descriptor of
		// its own for each directory.
		last := "/proc/self/fd/" + strconv.Itoa(int(layers[len(layers)-1].Fd()))
		params = append(params, Param{Key: "upperdir", Value: last + "/upper"}, Param{Key: "workdir", Value: last + "/work"})
	}
	return o.make(params)
}

// ofOne names everything by its path below one clone of Under.
func (o Overlay) ofOne() (*os.File, error) {
	if o.Writable != "" {
		if err := o.makeDirs(); err != nil {
			return nil, err
		}
	}
	m, err := o.clone(o.Under)
	if err != nil {
		return nil, err
	}
	defer o.close([]*os.File{m})
	root := "/proc/self/fd/" + strconv.Itoa(int(m.Fd()))
	params := []Param{{Key: "source", Value: "overlay"}}
	for _, l := range o.Layers {
		params = append(params, Param{Key: "lowerdir+", Value: root + strings.TrimPrefix(l, o.Under)})
	}
	if o.Writable != "" {
		w := root + strings.TrimPrefix(o.Writable, o.Under)
		params = append(params, Param{Key: "upperdir", Value: w + "/upper"}, Param{Key: "workdir", Value: w + "/work"})
	}
	return o.make(params)
}

func (o Overlay) make(params []Param) (*os.File, error) {
	if o.Volatile {
		params = append(params, Param{Key: "volatile"})
	}
	return newAs(o.IDs, "overlay", 0, params)
}

func (o Overlay) close(layers []*os.File) {
	if o.Release != nil {
		o.Release(layers...)
		return
	}
	for _, f := range layers {
		f.Close()
	}
}

// Layers makes a read-only, unshifted, detached view of layers, top first.
func Layers(layers []string) (*os.File, error) {
	if len(layers) != 1 {
		return Overlay{Layers: layers}.Mount()
	}
	// A single layer needs no overlay, and the kernel makes none of it.
	m, err := Clone(layers[0], false)
	if err != nil {
		return nil, err
	}
	if err := SetAttr(m, ReadOnly|NoDev, false); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}
