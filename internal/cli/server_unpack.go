package cli

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// unpackDaemon writes the daemon into dir, under a name made of its contents,
// unless it is there already, and removes older ones. Where dir cannot be
// written or does not allow execution the daemon is kept in memory.
func unpackDaemon(packed io.ReadSeeker, dir string) (string, error) {
	name, err := unpackedName(packed)
	if err != nil {
		return "", fmt.Errorf("unpack the daemon: %w", err)
	}
	path := filepath.Join(dir, name)
	if isProgram(path) && executable(path) {
		return path, nil
	}
	if err := install(packed, dir, path); err == nil && executable(path) {
		removeOlder(dir, name)
		return path, nil
	}
	return inMemory(packed)
}

// unpackedName is made of what gzip ends with, checksum and size of what was
// packed, and of the packed size: the start of a daemon that is unpacked already
// does not read 20 MB.
func unpackedName(packed io.ReadSeeker) (string, error) {
	var trailer [8]byte
	at, err := packed.Seek(-int64(len(trailer)), io.SeekEnd)
	if err != nil {
		return "", err
	}
	if _, err := io.ReadFull(packed, trailer[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("virgad-%x-%d", trailer, at), nil
}

// executable reports whether the file system of path allows execution.
func executable(path string) bool { return unix.Access(path, unix.X_OK) == nil }

// install makes path appear whole or not at all.
func install(packed io.ReadSeeker, dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "unpacking-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if err := errors.Join(decompress(f, packed), f.Chmod(0o755), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func decompress(w io.Writer, packed io.ReadSeeker) error {
	if _, err := packed.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return r.Close()
}

// removeOlder removes daemons of other builds; a running one is kept alive by
// the kernel.
func removeOlder(dir, keep string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if n := e.Name(); n != keep && strings.HasPrefix(n, "virgad-") {
			_ = os.Remove(filepath.Join(dir, n)) // it only takes space
		}
	}
}

// inMemory unpacks into an anonymous file, which lives as long as the process.
func inMemory(packed io.ReadSeeker) (string, error) {
	fd, err := unix.MemfdCreate("virgad", 0) // not closed on exec: it is what is executed
	if err != nil {
		return "", fmt.Errorf("unpack the daemon: %w", err)
	}
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	if err := decompress(descriptor(fd), packed); err != nil {
		return "", fmt.Errorf("unpack the daemon: %w", err)
	}
	return path, nil
}

// descriptor writes to an open file that no finaliser closes.
type descriptor int

func (d descriptor) Write(p []byte) (n int, err error) {
	for n < len(p) {
		m, err := unix.Write(int(d), p[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}
