package mount

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Node is a device node.
type Node struct {
	Path  string // below /dev, without it
	Mode  uint32 // type and permission bits
	Dev   uint64
	Owner uint32 // uid and gid inside the instance
	Group uint32
}

func char(path string, major, minor uint32) Node {
	return Node{Path: path, Mode: unix.S_IFCHR | 0o666, Dev: unix.Mkdev(major, minor)}
}

// minimalNodes are what every /dev has.
var minimalNodes = []Node{
	char("null", 1, 3), char("zero", 1, 5), char("full", 1, 7),
	char("random", 1, 8), char("urandom", 1, 9), char("tty", 5, 0),
}

var devLinks = [][2]string{
	{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"}, {"core", "/proc/kcore"},
}

// What is shown elsewhere lies in /dev: it would take a file system of its own
// otherwise, to make and to take apart.
const (
	// DevOwn is a directory for files and directories of virga's.
	DevOwn = ".virga"
	// DevEmpty is an empty directory in it. It belongs to the node's root, so
	// that an instance's own puts nothing there.
	DevEmpty = DevOwn + "/empty"
)

// Dev makes a minimal /dev with further nodes, detached: a small tmpfs whose
// files belong to the host id ids, with the directories pts, shm and mqueue to
// mount on, and a file console when asked.
func Dev(ids uint32, console bool, nodes []Node) (*os.File, error) {
	m, err := New("tmpfs", NoSuid|NoExec, Param{Key: "source", Value: "tmpfs"}, Param{Key: "mode", Value: "0755"},
		Param{Key: "size", Value: "64m"}, Param{Key: "uid", Value: fmt.Sprint(ids)}, Param{Key: "gid", Value: fmt.Sprint(ids)})
	if err != nil {
		return nil, err
	}
	d := devDir{fd: int(m.Fd()), ids: ids}
	for _, n := range minimalNodes {
		d.node(n)
	}
	for _, l := range devLinks {
		d.do(l[0], unix.Symlinkat(l[1], d.fd, l[0]), 0, 0)
	}
	for _, name := range []string{"pts", "shm", "mqueue", DevOwn} {
		d.do(name, unix.Mkdirat(d.fd, name, 0o755), 0, 0)
	}
	if err := unix.Mkdirat(d.fd, DevEmpty, 0o555); err != nil {
		d.do(DevEmpty, err, 0, 0)
	}
	if console {
		d.do("console", unix.Mknodat(d.fd, "console", unix.S_IFREG|0o620, 0), 0, 0)
	}
	for _, n := range nodes {
		d.parents(n.Path)
		d.node(n)
	}
	if d.err != nil {
		m.Close()
		return nil, fmt.Errorf("make /dev: %w", d.err)
	}
	return m, nil
}

// devDir keeps the first error.
type devDir struct {
	fd  int
	ids uint32
	err error
}

func (d *devDir) node(n Node) {
	err := unix.Mknodat(d.fd, n.Path, n.Mode, int(n.Dev))
	if err == unix.EEXIST {
		return
	}
	d.do(n.Path, err, n.Owner, n.Group)
	if d.err == nil && n.Mode&0o022 != 0 { // the umask took these
		d.err = unix.Fchmodat(d.fd, n.Path, n.Mode&0o777, 0)
	}
}

func (d *devDir) parents(p string) {
	for i := range p {
		if p[i] == '/' {
			if err := unix.Mkdirat(d.fd, p[:i], 0o755); err != unix.EEXIST {
				d.do(p[:i], err, 0, 0)
			}
		}
	}
}

// do takes the result of making name and gives it to its owner.
func (d *devDir) do(name string, err error, uid, gid uint32) {
	if err == nil && d.err == nil && d.ids+uid+gid > 0 {
		err = unix.Fchownat(d.fd, name, int(d.ids+uid), int(d.ids+gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", name, err)
	}
}

// HostNode reads the device node at path on the host, to be shown at target.
func HostNode(path, target string) (Node, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Node{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if k := st.Mode & unix.S_IFMT; k != unix.S_IFCHR && k != unix.S_IFBLK {
		return Node{}, &os.PathError{Op: "stat", Path: path, Err: fmt.Errorf("not a device")}
	}
	return Node{Path: strings.TrimPrefix(filepath.Clean(target), "/dev/"), Mode: st.Mode, Dev: st.Rdev}, nil
}

// HostNodes lists every device node of the host's /dev.
func HostNodes() []Node {
	var nodes []Node
	_ = filepath.WalkDir("/dev", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it has gone meanwhile
		}
		if d.IsDir() && (p == "/dev/pts" || p == "/dev/shm" || p == "/dev/mqueue") {
			return filepath.SkipDir
		}
		if d.Type()&fs.ModeDevice == 0 || p == "/dev/console" || p == "/dev/ptmx" {
			return nil
		}
		if n, err := HostNode(p, p); err == nil {
			nodes = append(nodes, n)
		}
		return nil
	})
	return nodes
}
