// Package pagecache has a file lie in the kernel's page cache in large pieces.
//
// A program that has just been linked, or read from the disk as it was first
// executed, lies there in pages of 4 KiB, and each start of it meets them one by
// one. In huge pages, as far as its file system has them (ext4 since Linux 6.16),
// a start meets a few.
package pagecache

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Enlarge reads a file anew, in huge pages where that is possible, and returns how
// many of its bytes lie in such. What some process has mapped at the moment stays
// as it is. It takes as long as reading the file from the disk.
func Enlarge(path string) (huge int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	if err := f.Sync(); err != nil { // what is not on the disk stays
		return 0, err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return 0, fmt.Errorf("fadvise %s: %w", path, err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return 0, fmt.Errorf("map %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, unix.Munmap(m)) }()
	for _, advice := range []int{unix.MADV_HUGEPAGE, unix.MADV_POPULATE_READ} {
		if err := unix.Madvise(m, advice); err != nil {
			return 0, fmt.Errorf("madvise %s: %w", path, err)
		}
	}
	return hugeAt(strings.TrimPrefix(fmt.Sprintf("%p-", &m[0]), "0x"))
}

// hugeAt returns how many bytes of huge pages the mapping has whose line begins
// with its address.
func hugeAt(address string) (int64, error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	here := false
	for s := bufio.NewScanner(f); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), ":")
		switch {
		case strings.HasPrefix(key, address):
			here = true
		case here && key == "FilePmdMapped":
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, nil // a kernel that does not count them has none
}
