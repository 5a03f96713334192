package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

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
}

// Mount makes the overlay, detached.
func (o Overlay) Mount() (*os.File, error) {
	layers, err := o.open()
	defer closeAll(layers)
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
	defer closeAll(layers)
	if err != nil {
		return nil, err
	}
	return o.ofDetached(layers)
}

// open makes one detached mount per layer, the writable one last.
func (o Overlay) open() ([]*os.File, error) {
	dirs := o.Layers
	if o.Writable != "" {
		for _, d := range []string{"upper", "work"} {
			if err := os.Mkdir(filepath.Join(o.Writable, d), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
				return nil, err
			}
		}
		dirs = append(dirs[:len(dirs):len(dirs)], o.Writable)
	}
	var layers []*os.File
	for _, d := range dirs {
		m, err := Clone(d, false)
		if err != nil {
			return layers, err
		}
		layers = append(layers, m)
		if err := Private(m); err != nil {
			return layers, err
		}
		if o.UserNS == nil {
			continue
		}
		if err := MapIDs(m, o.UserNS, false); err != nil {
			return layers, fmt.Errorf("layer %s: %w", d, err)
		}
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
	return newAs(o.IDs, "overlay", 0, params)
}

func closeAll(files []*os.File) {
	for _, f := range files {
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
