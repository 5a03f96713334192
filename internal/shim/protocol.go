// Package shim is the client of virga-shim, the supervisor that is the parent
// of instances' processes: it starts them, holds their standard streams and
// exit statuses, writes their logs, and outlives the daemon. One supervisor
// serves the node (docs/architecture.md says why).
package shim

import (
	"time"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// Start asks for a process.
type Start struct {
	// ID is unique among the supervisor's processes, such as
	// "<instance>/3" for its third life or "<instance>/exec/<random>".
	ID      string
	Program *launch.Program // sent with its files
	TTY     bool
	Stdin   bool // keep standard input open; else it is /dev/null
	// StdinOnce closes standard input when the first client leaves.
	StdinOnce bool
	// Log is the path of the CRI log, "" for none. It is rotated at LogSize
	// bytes; LogFiles are kept.
	Log      string
	LogSize  int64
	LogFiles int
	// KillOnClose kills the process when its last client leaves.
	KillOnClose   bool
	Width, Height uint16
}

// Process is what the supervisor knows of one process. It remembers an ended
// one until it is told to forget it.
type Process struct {
	ID      string
	PID     int
	Started time.Time
	Ended   bool
	// Status is the wait status as wait4 gives it; valid when Ended.
	Status   uint32
	Finished time.Time
}
