package disk

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From include/uapi/linux/fs.h: the attributes of a file, _IOR('X', 31, 28)
// and _IOW('X', 32, 28).
const (
	getAttributes  = 0x801c581f
	setAttributes  = 0x401c5820
	projectInherit = 0x200
)

// attributes is struct fsxattr.
type attributes struct {
	flags, extsize, nextents, project, cowextsize uint32
	_                                             [8]byte
}

// From include/uapi/linux/quota.h.
const (
	quotaGet     = 0x800007
	quotaSet     = 0x800008
	quotaProject = 2
	quotaUnit    = 1024 // bytes of a block limit
	limitsValid  = 1    // QIF_BLIMITS
)

// quota is struct if_dqblk.
type quota struct {
	hard, soft, space              uint64
	inodesHard, inodesSoft, inodes uint64
	blockTime, inodeTime           uint64
	valid                          uint32
	_                              uint32
}

// The project ids that virga takes, from firstProject on: high ones, for
// administrators count from 1.
const (
	firstProject = 0x76000000
	projects     = 1 << 24
)

// Project is the id of the project that a directory belongs to with everything
// made in it, 0 for none.
func Project(dir string) (uint32, error) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	a, err := attributesOf(f)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		return 0, nil
	}
	if !a.ours() {
		return 0, err
	}
	return a.project, err
}

// ours says whether the project is one that Limit chose, and not one that an
// administrator gave to the whole tree.
func (a attributes) ours() bool {
	return a.flags&projectInherit != 0 && a.project >= firstProject && a.project < firstProject+projects
}

// Limit makes an empty directory and what will be in it hold at most size
// bytes, or changes the limit of one that has a project. 0 is no limit. Names
// for new projects are chosen by the directory's name, and calls that choose
// must not be concurrent on one file system.
func Limit(dir string, size int64) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	a, err := attributesOf(f)
	if err != nil {
		return fmt.Errorf("read project of %s: %w", dir, err)
	}
	if a.ours() {
		return setLimit(f, a.project, size)
	}
	if a.project, err = freeProject(f, dir); err != nil {
		return err
	}
	if err := setLimit(f, a.project, size); err != nil {
		return err
	}
	a.flags |= projectInherit
	if err := ioctl(f, setAttributes, unsafe.Pointer(&a)); err != nil {
		return fmt.Errorf("set project of %s: %w", dir, errors.Join(err, setLimit(f, a.project, 0)))
	}
	return nil
}

// freeProject finds an id that nothing belongs to.
func freeProject(f *os.File, dir string) (uint32, error) {
	h := fnv.New32a()
	h.Write([]byte(dir))
	for i := range uint32(projects) {
		id := firstProject + (h.Sum32()+i)%projects
		q, err := quotaOf(f, id)
		if errors.Is(err, unix.ENOENT) || err == nil && q.hard == 0 && q.soft == 0 && q.inodes == 0 {
			return id, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read quota of project %d: %w", id, err)
		}
	}
	return 0, errors.New("no project id is free")
}

// Quota is what a directory with a project may hold and holds, in bytes. ok is
// false for a directory without one.
func Quota(dir string) (size, used int64, ok bool, err error) {
	id, err := Project(dir)
	if err != nil || id == 0 {
		return 0, 0, false, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return 0, 0, false, err
	}
	defer f.Close()
	q, err := quotaOf(f, id)
	return int64(q.hard) * quotaUnit, int64(q.space), true, err
}

func attributesOf(f *os.File) (a attributes, err error) {
	return a, ioctl(f, getAttributes, unsafe.Pointer(&a))
}

func setLimit(f *os.File, id uint32, size int64) error {
	q := quota{hard: uint64(size+quotaUnit-1) / quotaUnit, valid: limitsValid}
	if err := quotactl(f, quotaSet, id, &q); err != nil {
		return fmt.Errorf("set quota of project %d: %w", id, err)
	}
	return nil
}

func quotaOf(f *os.File, id uint32) (q quota, err error) { return q, quotactl(f, quotaGet, id, &q) }

func quotactl(f *os.File, cmd uint32, id uint32, q *quota) error {
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, f.Fd(), uintptr(cmd<<8|quotaProject), uintptr(id), uintptr(unsafe.Pointer(q)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
