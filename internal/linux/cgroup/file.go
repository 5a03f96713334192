package cgroup

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// write sets a control file. The kernel may answer EINTR to a call that one of
// Go's own preemption signals hits.
func write(dir, file, value string) error {
	path := filepath.Join(dir, file)
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0) })
	if err == nil {
		_, err = retry(func() (int, error) { return unix.Write(fd, []byte(value)) })
		unix.Close(fd)
	}
	if err != nil {
		return &fs.PathError{Op: "write " + strconv.Quote(value) + " to", Path: path, Err: err}
	}
	return nil
}

func read(dir, file string) (string, error) {
	path := filepath.Join(dir, file)
	for {
		b, err := readAll(path)
		if err == nil {
			return string(bytes.TrimSpace(b)), nil
		}
		if err != unix.EINTR {
			return "", &fs.PathError{Op: "read", Path: path, Err: err}
		}
	}
}

// readAll is os.ReadFile without what that does for files that can be waited
// for.
func readAll(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 512)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return b, nil
		}
		b = b[:len(b)+n]
	}
}

// readInt reads a number; "max", and what version 1 writes for no limit, is 0.
func readInt(dir, file string) (int64, error) {
	s, err := read(dir, file)
	if err != nil || s == "max" {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", filepath.Join(dir, file), err)
	}
	const unlimited = 1 << 62
	if n >= unlimited {
		return 0, nil
	}
	return n, nil
}

// readTable reads lines of "key value"; lines of another form are left out.
func readTable(dir, file string) (map[string]int64, error) {
	s, err := read(dir, file)
	return parseTable(s), err
}

func parseTable(s string) map[string]int64 {
	t := map[string]int64{}
	for line := range strings.Lines(s) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			t[key] = n
		}
	}
	return t
}

func mkdir(dir string) error {
	_, err := retry(func() (int, error) { return 0, unix.Mkdir(dir, 0o755) })
	if err == nil || err == unix.EEXIST {
		return nil
	}
	return &fs.PathError{Op: "make cgroup", Path: dir, Err: err}
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
