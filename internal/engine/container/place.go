package container

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// kind is what a path has to be.
type kind int

const (
	directory kind = iota
	file
)

// place is where something goes in the root.
type place struct {
	path string   // absolute, resolved inside the root when it is opened
	make []string // directories that are missing, outermost first, path included
}

// errKind says that a path exists and is of the other kind.
var errKind = errors.New("wrong kind of file")

// place finds out what has to be made before something can be put at p. Links
// lead where they lead inside the root, also to what does not exist yet.
func (v *view) place(p string, want kind) (place, error) {
	p = path.Clean("/" + p)
	if cover := v.cover(p); cover != "" {
		if p == cover {
			return place{path: p}, nil
		}
		return place{p, below(cover, p)}, nil
	}
	st, err := v.Stat(p)
	switch {
	case err == nil:
		if isDir := st.Mode&syscall.S_IFMT == syscall.S_IFDIR; isDir != (want == directory) {
			return place{}, fmt.Errorf("%s: %w", p, errKind)
		}
		return place{path: p}, nil
	case errors.Is(err, syscall.ENOTDIR):
		return place{}, fmt.Errorf("%s: %w", p, errKind)
	case !errors.Is(err, fs.ErrNotExist):
		return place{}, err
	}
	real, err := v.Canonical(p)
	if err != nil {
		return place{}, err
	}
	if cover := v.cover(real); cover != "" {
		return place{real, below(cover, real)}, nil
	}
	var missing []string
	for _, dir := range below("/", real) {
		if len(missing) > 0 {
			missing = append(missing, dir)
			continue
		}
		switch st, err := v.Stat(dir); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, dir)
		case err != nil:
			return place{}, err
		case st.Mode&syscall.S_IFMT != syscall.S_IFDIR:
			return place{}, fmt.Errorf("%s: %w", dir, errKind)
		}
	}
	return place{real, missing}, nil
}

// below lists the directories from dir, without it, down to p.
func below(dir, p string) []string {
	var all []string
	rest := strings.Trim(strings.TrimPrefix(p, dir), "/")
	at := dir
	for part := range strings.SplitSeq(rest, "/") {
		at = path.Join(at, part)
		all = append(all, at)
	}
	return all
}
