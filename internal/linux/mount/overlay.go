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
	// Staging is an empty private directory that layers are attached in for a
	// moment on kernels that do not take detached ones. "" fails there.
	Staging string
}

// Mount makes the overlay, detached.
func (o Overlay) Mount() (*os.File, error) {
	layers, err := o.open()
	defer closeAll(layers)
	if err != nil {
		return nil, err
	}
	m, err := newAs(o.IDs, "overlay", 0, o.params(layers, nil))
	if err == nil || o.Staging == "" || !errors.Is(err, unix.EINVAL) {
		return m, err
	}
	return o.staged(layers)
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

// params lists the layers as the kernel wants them: by descriptor, or by the
// paths where they are attached.
func (o Overlay) params(layers []*os.File, paths []string) []Param {
	at := func(key string, i int, sub string) Param {
		if paths != nil {
			return Param{Key: key, Value: filepath.Join(paths[i], sub)}
		}
		if sub == "" {
			return Param{Key: key, File: layers[i]}
		}
		// A magic link leads into the detached mount without a descriptor of
		// its own for each directory.
		return Param{Key: key, Value: "/proc/self/fd/" + strconv.Itoa(int(layers[i].Fd())) + "/" + sub}
	}
	var ps []Param
	for i := range o.Layers {
		ps = append(ps, at("lowerdir+", i, ""))
	}
	if o.Writable != "" {
		last := len(layers) - 1
		ps = append(ps, at("upperdir", last, "upper"), at("workdir", last, "work"))
	}
	return append(ps, Param{Key: "source", Value: "overlay"})
}

// staged attaches the layers below Staging while the overlay is made; it keeps
// its own hold on them.
func (o Overlay) staged(layers []*os.File) (*os.File, error) {
	var paths []string
	defer func() {
		for _, p := range paths {
			_ = Detach(p)
			_ = os.Remove(p)
		}
	}()
	for i, l := range layers {
		p := filepath.Join(o.Staging, strconv.Itoa(i))
		if err := os.MkdirAll(p, 0o700); err != nil {
			return nil, err
		}
		paths = append(paths, p)
		if err := Attach(l, p); err != nil {
			return nil, err
		}
	}
	return newAs(o.IDs, "overlay", 0, o.params(layers, paths))
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
