package tree

import (
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// ErrName is the error for a name that no entry may have.
var ErrName = errors.New("not a name inside the tree")

// Meta is what an entry has beside its content.
type Meta struct {
	UID, GID int
	Mode     uint32 // permission, set-user-id, set-group-id and sticky bits
	ModTime  time.Time
	Xattrs   map[string]string // of files and directories
}

// Tree is a directory that is being filled.
type Tree struct {
	// Sparse leaves holes in files where there are many zeros.
	Sparse bool

	root    int
	dir     int    // handle of the directory last used, or -1
	dirName string // its name
	buf     []byte
	times   []dirTime
	hidden  map[string]bool // names whited out in this tree
}

type dirTime struct {
	name string
	time time.Time
}

// Open opens an existing directory as the root of a tree.
func Open(dir string) (*Tree, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open tree %s: %w", dir, err)
	}
	return &Tree{root: fd, dir: -1, hidden: make(map[string]bool)}, nil
}

// Close releases the handles. The tree stays as it is.
func (t *Tree) Close() error {
	t.leave()
	return unix.Close(t.root)
}

// Finish gives directories their times, which entries made later in them have
// changed. Call it after the last entry.
func (t *Tree) Finish() error {
	for _, d := range t.times {
		fd, err := t.open(d.name, unix.O_RDONLY|unix.O_DIRECTORY)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue // replaced by a later entry
		}
		if err != nil {
			return fmt.Errorf("directory %s: %w", d.name, err)
		}
		err = unix.UtimesNanoAt(fd, "", timespecs(d.time), unix.AT_EMPTY_PATH)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("set times of %s: %w", d.name, err)
		}
	}
	return nil
}

// Has says whether a name leads to a file or a directory in the tree, links
// followed.
func (t *Tree) Has(name string) bool {
	fd, err := t.open(name, unix.O_PATH)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// open resolves a name within the tree.
func (t *Tree) open(name string, flags uint64) (int, error) {
	if name == "" {
		name = "."
	}
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(t.root, name, &how)
		// EAGAIN: something on the node was renamed while ".." was resolved.
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		return fd, err
	}
}

// enter returns a handle of the directory that holds name, which it makes
// where it is missing, and the last component. The handle is the tree's.
func (t *Tree) enter(name string) (int, string, error) {
	dir, base := path.Split(name)
	if base == "" || base == "." || base == ".." {
		return -1, "", fmt.Errorf("%q: %w", name, ErrName)
	}
	if t.dir >= 0 && t.dirName == dir {
		return t.dir, base, nil
	}
	fd, err := t.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err == unix.ENOENT {
		fd, err = t.makeParents(dir)
	}
	if err != nil {
		return -1, "", fmt.Errorf("directory %q: %w", dir, err)
	}
	t.leave()
	t.dir, t.dirName = fd, dir
	return fd, base, nil
}

// leave forgets the directory last used.
func (t *Tree) leave() {
	if t.dir >= 0 {
		unix.Close(t.dir)
	}
	t.dir = -1
}

// makeParents makes the directories of a name that the archive does not list.
func (t *Tree) makeParents(dir string) (int, error) {
	dir = path.Clean(dir)
	if parent := path.Dir(dir); parent != dir && parent != "." && parent != "/" {
		fd, err := t.open(parent, unix.O_PATH|unix.O_DIRECTORY)
		if err == unix.ENOENT {
			fd, err = t.makeParents(parent)
		}
		if err != nil {
			return -1, err
		}
		unix.Close(fd)
	}
	parent, err := t.open(path.Dir(dir), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	err = unix.Mkdirat(parent, path.Base(dir), 0o755)
	if err == unix.EEXIST {
		return -1, unix.ENOTDIR // a link that leads nowhere
	}
	if err != nil {
		return -1, err
	}
	fd, err := t.open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, 0o755); err != nil { // whatever the umask
		return -1, err
	}
	return t.open(dir, unix.O_PATH|unix.O_DIRECTORY)
}

func timespecs(m time.Time) []unix.Timespec {
	ts := unix.NsecToTimespec(m.UnixNano())
	if m.IsZero() {
		ts = unix.Timespec{}
	}
	return []unix.Timespec{ts, ts}
}
