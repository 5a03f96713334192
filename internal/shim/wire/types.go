package wire

import (
	"time"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// Version is the version of the language. A supervisor outlives the daemon
// that started it, so a change must keep old frames readable or raise it.
const Version = 1

// Start asks for a process.
type Start struct {
	// ID is unique among the supervisor's processes, such as
	// "<instance>/3" for its third life or "<instance>/exec/<random>".
	ID      string
	Program *launch.Program // sent with its files
	TTY     bool
	Stdin   bool // keep standard input open; else it is /dev/null
	// StdinOnce closes standard input when a client closes it or leaves.
	StdinOnce bool
	// Log is the path of the CRI log, "" for none. It is rotated at LogSize
	// bytes, 0 for never; LogFiles are kept, the current one included.
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

// Info is what a supervisor says of itself.
type Info struct {
	Version int
	Build   string // names the binary that runs
	PID     int
	// Processes counts those that run or are not yet forgotten.
	Processes int
}
