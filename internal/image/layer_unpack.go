package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/internal/linux/tree"
)

// policy is how strictly a tar is read.
type policy int

const (
	ociLayer policy = iota // whiteouts mean deletions; devices are refused
	rootfs                 // a whole root file system: devices in /dev are left out
	files                  // any files: devices are refused, and there may be none
)

const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
	tarBlock       = 512
)

// unpacker turns a tar stream into a directory for overlayfs.
type unpacker struct {
	tree    *tree.Tree
	policy  policy
	budget  *budget
	size    int64     // bytes of files
	newest  time.Time // latest modification of any entry
	dropped int       // devices left out
	entries int
	report  func(int64) // gets size after each file; nil is nobody
}

// unpack reads all entries of a tar into the tree.
func (u *unpacker) unpack(ctx context.Context, r io.Reader) error {
	t := &trailer{r: r}
	tr := tar.NewReader(t)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u.badTar(err)
		}
		if err := u.entry(h, tr); err != nil {
			return u.explain(h, err)
		}
	}
	if u.policy != ociLayer && (u.entries == 0 && u.policy == rootfs || t.zeros < tarBlock) {
		if u.entries == 0 && u.policy == rootfs {
			return refuse("the archive holds no files")
		}
		return refuse("the archive is truncated: the end mark of the tar is missing")
	}
	return u.tree.Finish()
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name, err := u.name(h.Name)
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	u.entries++
	if err := u.budget.file(h.Size); err != nil {
		return err
	}
	if base := path.Base(name); u.policy == ociLayer && strings.HasPrefix(base, whiteoutPrefix) {
		return u.whiteout(name, base)
	}
	if name == "." && h.Typeflag != tar.TypeDir {
		return refuse("the root of the layer is not a directory")
	}
	m, err := u.meta(h)
	if err != nil {
		return err
	}
	if h.ModTime.After(u.newest) {
		u.newest = h.ModTime
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.tree.Dir(name, m)
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont, 0:
		return u.file(name, h, m, content)
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > u.budget.limits.NameBytes {
			return refuse("the symbolic link has a target of %d bytes", len(h.Linkname))
		}
		return u.tree.Symlink(name, h.Linkname, m)
	case tar.TypeLink:
		to, err := u.name(h.Linkname)
		if err != nil {
			return err
		}
		return u.tree.Link(name, to)
	case tar.TypeFifo:
		return u.tree.Fifo(name, m)
	case tar.TypeChar, tar.TypeBlock:
		return u.device(name, h)
	}
	return refuse("entries of type %q are not supported", h.Typeflag)
}

func (u *unpacker) file(name string, h *tar.Header, m tree.Meta, content io.Reader) error {
	n, err := u.tree.File(name, m, content)
	u.size += n
	if u.report != nil {
		u.report(u.size)
	}
	if err == nil && n != h.Size {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (u *unpacker) whiteout(name, base string) error {
	if base == opaqueMarker {
		return u.tree.Opaque(path.Dir(name))
	}
	hidden := strings.TrimPrefix(base, whiteoutPrefix)
	if hidden == "" || hidden == "." || hidden == ".." {
		return refuse("the deletion mark names nothing")
	}
	if strings.HasPrefix(hidden, whiteoutPrefix) {
		return nil // bookkeeping of aufs
	}
	return u.tree.Whiteout(path.Join(path.Dir(name), hidden))
}

// standardDevices are what an engine puts into /dev itself, so that an image
// loses nothing without them.
var standardDevices = map[string][2]int64{
	"dev/null": {1, 3}, "dev/zero": {1, 5}, "dev/full": {1, 7}, "dev/random": {1, 8},
	"dev/urandom": {1, 9}, "dev/tty": {5, 0}, "dev/console": {5, 1}, "dev/ptmx": {5, 2},
}

// device leaves out what lies in /dev and is harmless there. Any other device
// in an image would be a door to the node's hardware.
func (u *unpacker) device(name string, h *tar.Header) error {
	if h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0 && u.policy == ociLayer {
		return u.tree.Whiteout(name) // overlayfs' own form of a deletion
	}
	std, ok := standardDevices[name]
	ok = ok && h.Typeflag == tar.TypeChar && std == [2]int64{h.Devmajor, h.Devminor} && u.policy != files
	if ok || u.policy == rootfs && strings.HasPrefix(name, "dev/") {
		u.dropped++
		return nil
	}
	return refuse("it is a device node (%d:%d), which an archive must not bring", h.Devmajor, h.Devminor)
}

// name checks the name of an entry and returns it relative and clean. A name
// that starts with / is taken as relative, as every tar does.
func (u *unpacker) name(n string) (string, error) {
	if len(n) > u.budget.limits.NameBytes {
		return "", refuse("its name has %d bytes; at most %d are supported", len(n), u.budget.limits.NameBytes)
	}
	if strings.IndexByte(n, 0) >= 0 {
		return "", refuse("its name has a zero byte")
	}
	for part := range strings.SplitSeq(n, "/") {
		if part == ".." {
			return "", refuse("its name leaves the root of the archive")
		}
	}
	return path.Clean(strings.TrimLeft(n, "/")), nil
}

const (
	modeMask   = 0o7777
	paxXattr   = "SCHILY.xattr."
	maxOwnerID = 1<<32 - 2
)

func (u *unpacker) meta(h *tar.Header) (tree.Meta, error) {
	if h.Uid < 0 || h.Gid < 0 || h.Uid > maxOwnerID || h.Gid > maxOwnerID {
		return tree.Meta{}, refuse("its owner %d:%d is not possible", h.Uid, h.Gid)
	}
	m := tree.Meta{UID: h.Uid, GID: h.Gid, Mode: uint32(h.Mode) & modeMask, ModTime: clampTime(h.ModTime)}
	bytes := 0
	for k, v := range h.PAXRecords {
		k, ok := strings.CutPrefix(k, paxXattr)
		if !ok {
			continue
		}
		if strings.HasPrefix(k, "trusted.overlay.") || strings.HasPrefix(k, "user.overlay.") {
			return m, refuse("its attribute %.60s would steer the node's overlay", k)
		}
		if !keptXattr(k) {
			continue
		}
		if m.Xattrs == nil {
			m.Xattrs = make(map[string]string)
		}
		m.Xattrs[k] = v
		bytes += len(k) + len(v)
		if len(m.Xattrs) > u.budget.limits.Xattrs || bytes > u.budget.limits.XattrBytes || len(k) > 255 {
			return m, refuse("it has too many extended attributes")
		}
	}
	return m, nil
}

// keptXattr says which attributes mean the same on every node. The others are
// labels of the machine that packed the image.
func keptXattr(k string) bool {
	return k == "security.capability" || strings.HasPrefix(k, "user.") || strings.HasPrefix(k, "system.posix_acl_")
}

// clampTime keeps times in the range that every file system can store.
func clampTime(t time.Time) time.Time {
	switch s := t.Unix(); {
	case s < 0:
		return time.Unix(0, 0)
	case s > 1<<33:
		return time.Unix(1<<33, 0)
	}
	return t
}

// badTar explains an error of the tar reader.
func (u *unpacker) badTar(err error) error {
	_, explained := asRefusal(err)
	if u.entries == 0 && !explained && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return refuse("this is not a tar archive, or not a whole one").
			WithHint("import takes docker save archives, OCI layouts and root file systems, as tar, plain or with gzip or zstd")
	}
	return badStream(err)
}

// explain names the entry and tells an archive's fault from the node's.
func (u *unpacker) explain(h *tar.Header, err error) error {
	if e, ok := asRefusal(err); ok {
		e.Message = fmt.Sprintf("entry %.200q is refused: %s", h.Name, e.Message)
		return e
	}
	if _, ok := errors.AsType[*readError](err); ok {
		return err
	}
	if errors.Is(err, tree.ErrName) {
		return refuse("entry %.200q is refused: its name is not possible", h.Name)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return badStream(io.ErrUnexpectedEOF)
	}
	for _, fault := range []struct {
		errno syscall.Errno
		says  string
	}{
		{syscall.ENOTDIR, "its parent is not a directory"},
		{syscall.ELOOP, "its parent is a symbolic link that leads nowhere"},
		{syscall.ENAMETOOLONG, "its name is too long"},
		{syscall.ENOTEMPTY, "it would replace a directory that is not empty"},
		{syscall.ENOENT, "it links to something that is not in the archive"},
		{syscall.EPERM, "the kernel does not allow it"},
		{syscall.EXDEV, "it leaves the root of the archive"},
		{syscall.EINVAL, "the kernel refuses its name or attributes"},
		{syscall.ERANGE, "its attributes are too large"},
		{syscall.E2BIG, "its attributes are too large"},
		{syscall.EMLINK, "it has too many hard links"},
	} {
		if errors.Is(err, fault.errno) {
			return refuse("entry %.200q is refused: %s", h.Name, fault.says)
		}
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return storeError("unpack layer", err)
	}
	return badStream(err)
}

// trailer counts the zero bytes at the end of what was read. A tar ends with
// blocks of zeros; the padding of a file is less than one block.
type trailer struct {
	r     io.Reader
	zeros int64
}

func (t *trailer) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	i := n
	for i > 0 && p[i-1] == 0 {
		i--
	}
	if i > 0 {
		t.zeros = 0
	}
	t.zeros += int64(n - i)
	return n, err
}
