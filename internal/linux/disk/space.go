package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Allocated is the size of a file and what of it takes space, in bytes.
func Allocated(file string) (size, allocated int64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return 0, 0, &os.PathError{Op: "stat", Path: file, Err: err}
	}
	const sector = 512 // the unit of st_blocks
	return st.Size, st.Blocks * sector, nil
}

// Space is what the file system at dir holds, and what can still be written to
// it, in bytes.
func Space(dir string) (used, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize, int64(st.Bavail) * st.Bsize, nil
}
