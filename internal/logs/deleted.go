package logs

import (
	"os"
	"syscall"
)

// deleted says whether a file that is open has no name any more.
func deleted(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Nlink == 0
}
