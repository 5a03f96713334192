package store

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

// The file "state" in the store's directory says how far its making has come.
// It reads stateNew before etcd makes its first file and stateReady once etcd
// has answered, before any of our data can be in it. So a directory that was
// abandoned half made is recognized, whatever state etcd's files are in, and
// made anew: a member that was killed before its first log entry would never
// become ready.
const (
	stateFile  = "state"
	stateNew   = "virga store 1: being made\n"
	stateReady = "virga store 1: ready\n"
)

// dataDir is a store's directory, locked against other daemons.
type dataDir struct {
	path string
	lock *os.File
}

// openDir makes or finds the directory and locks it. Nothing of an unfinished
// first start is left in it.
func openDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the store's directory: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the store's directory: %w", err)
	}
	d := &dataDir{path: path, lock: f}
	if err := d.prepare(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return d, nil
}

func (d *dataDir) prepare() error {
	err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return api.Errorf(api.CodeConflict, "another daemon uses the store in %s", d.path).
			WithHint("stop it, or choose another --data-dir")
	}
	if err != nil {
		return fmt.Errorf("lock the store's directory: %w", err)
	}
	state, err := d.state()
	if err != nil {
		return err
	}
	if err := d.lock.Chmod(0o700); err != nil {
		return fmt.Errorf("protect the store's directory: %w", err)
	}
	if state == stateReady {
		return nil
	}
	if err := os.RemoveAll(d.member()); err != nil {
		return fmt.Errorf("remove an unfinished store: %w", err)
	}
	return d.setState(stateNew)
}

// member is where etcd keeps its files.
func (d *dataDir) member() string { return filepath.Join(d.path, "member") }

// state reads the state file; "" is a directory without anything in it.
func (d *dataDir) state() (string, error) {
	b, err := os.ReadFile(filepath.Join(d.path, stateFile))
	if err == nil {
		if s := string(b); s == stateNew || s == stateReady {
			return s, nil
		}
		return "", d.foreign()
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the store's state: %w", err)
	}
	names, err := os.ReadDir(d.path)
	if err != nil {
		return "", fmt.Errorf("read the store's directory: %w", err)
	}
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), stateFile) { // but for a torn state file
			return "", d.foreign()
		}
	}
	return "", nil
}

func (d *dataDir) foreign() error {
	return api.Errorf(api.CodeInvalid, "%s holds files that are not a virga store of this version", d.path).
		WithHint("choose another --data-dir, or move them away")
}

// setState replaces the state file so that a crash leaves the old or the new.
func (d *dataDir) setState(s string) error {
	tmp, err := os.CreateTemp(d.path, stateFile+".*")
	if err != nil {
		return fmt.Errorf("write the store's state: %w", err)
	}
	_, err = io.WriteString(tmp, s)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(d.path, stateFile))
	}
	if err == nil {
		err = d.lock.Sync() // the directory's own entry
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("write the store's state: %w", err)
	}
	return nil
}

func (d *dataDir) has(name string) bool {
	_, err := os.Lstat(filepath.Join(d.path, name))
	return err == nil
}

// free is what the file system has left: bytes, and files where they are
// limited.
func (d *dataDir) free() (bytes, files int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(d.lock.Fd()), &st); err != nil {
		return 0, 0, err
	}
	files = int64(st.Ffree)
	if st.Files == 0 {
		files = math.MaxInt64
	}
	return int64(st.Bavail) * st.Bsize, files, nil
}

func (d *dataDir) close() error { return d.lock.Close() }
