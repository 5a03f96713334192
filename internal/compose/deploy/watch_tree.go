package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// maxWatched bounds the files of one watched path.
const maxWatched = 100_000

// stamp tells one state of a file from another.
type stamp struct {
	size int64
	time time.Time
	mode fs.FileMode
}

// tree are the regular files below a watched path, by their names relative to
// it; a watched file is ".".
type tree map[string]stamp

// scan looks at all that is watched. A path that is not there is empty.
func scan(w compose.Watch) (tree, error) {
	t := tree{}
	err := filepath.WalkDir(w.Path, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(w.Path, p)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case name != "." && ignored(name, e.IsDir(), w):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !e.Type().IsRegular():
			return nil
		}
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if t[name] = (stamp{i.Size(), i.ModTime(), i.Mode()}); len(t) > maxWatched {
			return api.Errorf(api.CodeInvalid, "%s has more than %d files to be watched", w.Path, maxWatched).
				WithHint("name what does not count in develop.watch.ignore")
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return t, err
}

// ignored reports whether a name does not count. A pattern is matched with the
// whole name, with each directory above it, and one without a slash, or behind
// "**/", with the last part of each.
func ignored(name string, dir bool, w compose.Watch) bool {
	if path.Base(name) == ".git" || slices.ContainsFunc(w.Ignore, func(p string) bool { return fits(p, name) }) {
		return true
	}
	return !dir && len(w.Include) > 0 && !slices.ContainsFunc(w.Include, func(p string) bool { return fits(p, name) })
}

func fits(pattern, name string) bool {
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/")
	anywhere := !strings.Contains(pattern, "/")
	if rest, ok := strings.CutPrefix(pattern, "**/"); ok {
		pattern, anywhere = rest, true
	}
	for n := name; n != "."; n = path.Dir(n) {
		at := n
		if anywhere {
			at = path.Base(n)
		}
		if ok, err := path.Match(pattern, at); err == nil && ok {
			return true
		}
	}
	return false
}

// since are the names that are other than they were before, and those that are
// gone, in order.
func (t tree) since(before tree) (changed, gone []string) {
	for name, s := range t {
		if was, ok := before[name]; !ok || was != s {
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, ok := t[name]; !ok {
			gone = append(gone, name)
		}
	}
	slices.Sort(changed)
	slices.Sort(gone)
	return changed, gone
}
