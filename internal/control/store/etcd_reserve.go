package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

// What the file system must have left. etcd cannot go on once its log cannot
// be written, so a new object is refused well before that, and changes that
// may set something free later still.
const (
	roomToStart  = 64 << 20 // bytes
	roomToCreate = 32 << 20
	roomToChange = 4 << 20
	roomToDelete = 1 << 20
	// filesToCreate is for an object and what the node makes for it.
	filesToCreate = 64
	// reserveBytes are kept on the disk for the time when it is full: what
	// frees space, such as the removal of an instance, has to be stored too. It
	// is more than etcd's file grows by at a time, which may be just then.
	reserveBytes = 32 << 20
)

// reserve is a file that only takes space, which is given back when changes
// need it.
type reserve struct {
	dir *dataDir

	mu    sync.Mutex
	held  bool  // +checklocks:mu
	solid int64 // +checklocks:mu bytes of etcd's file that have their space
}

const reserveFile = "reserve"

func (r *reserve) path() string { return filepath.Join(r.dir.path, reserveFile) }

// room says whether there is enough left for changes. What deletes alone is let
// through longest, for it sets space free.
func (r *reserve) room(ops []op) error {
	free, files, err := r.dir.free()
	if err != nil {
		return nil // one that does not say may have room
	}
	create := slices.ContainsFunc(ops, func(o op) bool { return o.when == absent })
	need := int64(roomToDelete)
	switch {
	case create:
		need = roomToCreate
	case slices.ContainsFunc(ops, func(o op) bool { return o.value != nil }):
		need = roomToChange
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fill()
	switch {
	case !r.held && free >= roomToCreate+2*reserveBytes:
		r.held = hold(r.path())
	case r.held && free < roomToChange && !create:
		if os.Remove(r.path()) == nil {
			r.held, free = false, free+reserveBytes
		}
	}
	switch {
	case free < need:
		return r.dir.full(api.FormatBytes(free))
	case create && files < filesToCreate:
		return r.dir.full("no room for further files")
	}
	return nil
}

// fill gives etcd's file the space for its whole length. It grows by 16 MiB of
// holes at a time and is written half a second after a change was made, when
// the disk may be full: that write must not need space any more, since etcd
// cannot go on without it.
// +checklocks:r.mu
func (r *reserve) fill() {
	path := filepath.Join(r.dir.member(), "snap", "db")
	info, err := os.Stat(path)
	if err != nil || info.Size() <= r.solid {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	err = syscall.Fallocate(int(f.Fd()), 0, 0, info.Size()) // it never shrinks
	if err == nil || errors.Is(err, syscall.EOPNOTSUPP) {
		r.solid = info.Size()
	}
}

// hold makes the file, where the file system can set space aside.
func hold(path string) bool {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, reserveBytes)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path) // a part of it helps nobody
	}
	return err == nil
}

func (d *dataDir) full(left string) error {
	return api.Errorf(api.CodeInsufficientCapacity, "the disk that holds %s is full: %s left", d.path, left).
		WithHint("remove instances, volumes or images that are not needed: virga system df, virga image prune")
}
