// Package engine holds what every engine takes and gives: the task that
// describes one life of an instance, the session that a client holds with it
// and the exit that ends it. The engines are the packages below this one; the
// interface they satisfy is internal/node's, which calls them.
package engine

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Task is everything an engine needs to run one life of an instance. The node
// has resolved every name in it: an engine reads no store and no network state.
type Task struct {
	Instance string // id of the instance; names its cgroup and directory
	Name     string // name of the instance, the default hostname
	Life     int    // number of this start, from 1

	Args       []string // argv; Args[0] is looked up in PATH of Env
	Env        []string
	WorkingDir string // absolute, created if missing
	User       string // user[:group]; "" is root
	TTY        bool
	Stdin      bool
	StdinOnce  bool

	Hostname string
	Layers   []string // directories of the image's unpacked layers, top first
	Mounts   []Mount  // in the order they are to be made
	Sandbox  Sandbox

	Spec api.InstanceSpec // resources, security, read-only, init, shm size

	// Gate, unless nil, is called when all is ready for the workload to run; it
	// may block, and its error ends the start.
	Gate func() error

	// Dir is the instance's directory on the node. The engine keeps the
	// writable layer and everything else of the instance's inside it.
	Dir string
	// Log is the path of the instance's log, in CRI format.
	Log string
	// Hosts and Resolv are the contents of /etc/hosts and /etc/resolv.conf;
	// nil leaves the image's file.
	Hosts, Resolv []byte
}

// Writable is the directory in an instance's directory dir that its writable
// layer lies in. One with a size is a disk, which the node makes before the
// first life.
func Writable(dir string) string { return filepath.Join(dir, "fs") }

// Mount is an api.Mount with its source resolved.
type Mount struct {
	api.Mount
	// Host is the path on the node of a bind or a volume; "" for a tmpfs.
	Host string
	// Copy says that Host is a new volume to be filled with what the image
	// has at Target.
	Copy bool
}

// Sandbox is the ground an instance stands on: its namespaces that are made
// before it starts. The engine borrows the files and does not close them.
type Sandbox struct {
	UserNS *os.File // nil: the node's own
	NetNS  *os.File // nil: the node's own
	// IDs is the first of the 65,536 host uids and gids that UserNS maps from
	// 0; 0 without a user namespace.
	IDs uint32
	// Taps are the interfaces of a virtual machine, in the order of its
	// networks. NetNS is then an empty network for its monitor.
	Taps []Tap
}

// Tap is one interface of a virtual machine, as far as its monitor has to know
// it. The network lasts for as long as somebody has one of the queues open: the
// monitor gets them as open files and needs no privilege.
type Tap struct {
	MAC net.HardwareAddr // the guest's; it can send by no other
	MTU int              // bytes
	// Queues are files of frames, each frame behind a struct virtio_net_hdr.
	// They do not block.
	Queues []*os.File
}

// Started is a life that has begun.
type Started struct {
	PID  int
	Time time.Time
	// Warnings name what was asked for and could not be given on this kernel.
	Warnings []string
}

// Exit is a life that has ended.
type Exit struct {
	Instance  string
	Life      int
	Code      int // 0 to 255, 128+n when signal n ended it
	Time      time.Time
	OOMKilled bool
	// Lost says that the supervisor died and the code is not known.
	Lost bool
}

// Life is what an engine found of an instance when the daemon started.
type Life struct {
	Instance string
	Number   int
	PID      int
	Started  time.Time
	Paused   bool
	Exit     *Exit // not nil when it has ended
}

// Session is a client's hold on the streams of a process. Its methods may be
// called concurrently with each other.
type Session interface {
	// Read returns the next piece of output; io.EOF when there is no more.
	Read(ctx context.Context) (api.Stream, []byte, error)
	// Write sends standard input; CloseStdin ends it.
	Write(p []byte) (int, error)
	CloseStdin() error
	Resize(api.WindowSize) error
	Signal(ctx context.Context, signal string) error
	// Wait blocks until the process has ended and returns its exit code.
	Wait(ctx context.Context) (int, error)
	// Close lets go of the streams; the process goes on unless it is an exec
	// without Detach, which is killed.
	Close() error
}
