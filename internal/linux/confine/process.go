package confine

import (
	"os"

	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/seccomp"
)

// Process describes a confined process. The files in it stay the caller's.
type Process struct {
	// Entrances are the files a process enters its cgroups by.
	Entrances []*os.File
	Rlimits   []Rlimit
	// OOMScoreAdj is left as the supervisor's when nil.
	OOMScoreAdj *int

	// UserNS and NetNS are entered; nil is the host's own.
	UserNS, NetNS *os.File
	// IDs is the host id of the instance's 0.
	IDs uint32

	// Start or Join: one is set.
	Start *Start
	Join  *Join

	UID, GID uint32 // inside the instance
	Groups   []uint32
	// Bounding limits what the process and its descendants can ever have. Root
	// has all of it; another user has Ambient.
	Bounding, Ambient caps.Set
	NoNewPrivs        bool
	// Seccomp may be nil.
	Seccomp *seccomp.Filter

	TTY, Stdin bool
	WorkingDir string
	// MakeWorkingDir are the directories to be made before WorkingDir exists,
	// outermost first.
	MakeWorkingDir []string
	Argv, Env      []string
	// Paths are the candidates for the file to execute.
	Paths []string
}

// Start makes a new instance around the process.
type Start struct {
	Root     *os.File // detached mount that becomes "/"
	ReadOnly bool     // protect it in the end
	// Files and Mounts are made in order; Files first.
	Mounts   []Mount
	Dev      *os.File // detached mount for /dev
	ShmSize  int64
	Shm      *os.File // detached mount for /dev/shm; nil makes one of ShmSize, or takes the other's with IPC
	Sys      Sys
	Hostname string // "" leaves it
	Sharing  Sharing
	// Sysctls by name with dots; namespaced ones only.
	Sysctls map[string]string
	// Masked and Protected are paths below /proc and /sys that exist on this
	// kernel, such as "/proc/kcore".
	Masked    []Path
	Protected []string
}

// Sharing says which namespaces are not made.
type Sharing struct {
	PID, IPC, UTS Space
	// Other is a pidfd of the process that has what is Others.
	Other *os.File
}

// Space is whose namespace the process is in.
type Space int

const (
	Own    Space = iota
	Nodes        // of what starts it
	Others       // of Sharing.Other
)

// Path is a path and whether it is a directory.
type Path struct {
	Name string
	Dir  bool
}

// Sys says what is mounted on /sys.
type Sys struct {
	// Host is a detached clone of the host's; nil mounts a new sysfs, which
	// takes a network namespace that the user namespace owns.
	Host     *os.File
	Writable bool
	// Cgroups is what is mounted on /sys/fs/cgroup.
	Cgroups []Mount
}

// Mount attaches something in the root.
type Mount struct {
	// Source is a detached mount; nil mounts a new file system of Type.
	Source *os.File
	// InDev is a file below /dev that is shown at Target; it takes the place of
	// Source. The instance itself makes the mount of it, once /dev is in its
	// place: before Linux 6.15 nothing can be cloned from a detached mount.
	InDev  string
	Type   string
	Params []Param
	Attrs  uint64 // of a new file system, MOUNT_ATTR_*
	// Target is an absolute path in the root.
	Target string
	// Make are the directories to be made before Target exists, outermost
	// first, Target itself included; with File the last is made a file.
	Make []string
	File bool
	// Late mounts come after /proc and /sys.
	Late bool
}

// Param is a parameter of a new file system; "" is a flag.
type Param struct{ Key, Value string }

// Join enters a running instance.
type Join struct {
	// PID is a pidfd of the instance's first process.
	PID *os.File
	// UserNS says that the instance has one of its own.
	UserNS bool
}

// Rlimit is a resource limit by its number.
type Rlimit struct {
	Resource   int
	Name       string
	Soft, Hard uint64
	// Raise says that the hard limit is above the node's own, which only the
	// node's root may go beyond.
	Raise bool
}
