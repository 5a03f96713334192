package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

// lockName is the file that a daemon holds as long as it uses a data directory.
const lockName = "lock"

// lock takes the data directory for this process, until the file is closed. A
// directory that another daemon has is a Conflict.
func lock(dataDir string) (*os.File, error) {
	if err := os.MkdirAll(dataDir, 0o711); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(dataDir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid, _ := os.ReadFile(path)
		_ = f.Close()
		if err != syscall.EWOULDBLOCK {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, api.Errorf(api.CodeConflict, "the data directory %s is in use by the daemon with pid %s", dataDir, strings.TrimSpace(string(pid))).
			WithHint("stop that daemon, or choose another --data-dir")
	}
	// The pid is for people; what holds is the lock.
	if err := f.Truncate(0); err != nil {
		return f, nil
	}
	_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	return f, nil
}
