package server

import (
	"context"
	"io"
	"iter"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// Node is what the server asks of the node that runs an instance: everything
// that is not desired state. Every method may be called concurrently; ids are
// full ids of instances bound to the node.
type Node interface {
	Info(ctx context.Context) (api.Node, error)
	Check(ctx context.Context, repair bool) (api.CheckReport, error)

	// Known waits, after the daemon's start, until the phases of instances are
	// what they are in now.
	Known(ctx context.Context) error

	// SetNetworks makes the node's networks those of the store, and returns
	// when they are.
	SetNetworks(ctx context.Context) error
	// CountRules adds to rules what they have matched.
	CountRules(rules []api.Rule) error
	// Reconnect returns when a running instance has the networks of its spec,
	// or says why it cannot have them.
	Reconnect(ctx context.Context, id string) error
	// Routes are the destinations that the node reaches otherwise than by
	// virga's networks.
	Routes() ([]netip.Prefix, error)

	// Attach connects to the first process of an instance. It may be called
	// before the instance starts: the session then waits for its next life.
	Attach(ctx context.Context, id string) (engine.Session, error)
	// AttachFirst is Attach before the instance is stored: to its first life.
	AttachFirst(ctx context.Context, id string) (engine.Session, error)
	Exec(ctx context.Context, id string, spec api.ExecSpec) (engine.Session, error)
	Signal(ctx context.Context, id, signal string) error
	// Logs yields lines until the end, or until ctx ends when following.
	Logs(ctx context.Context, id string, o api.LogOptions) iter.Seq2[api.LogLine, error]
	Stats(ctx context.Context, id string) (api.Stats, error)
	Processes(ctx context.Context, id string) ([]api.Process, error)
	// Disk is the use of a writable layer with a size, nil of another.
	Disk(in *api.Instance) *api.DiskUsage
	// ResizeDisk gives a writable layer another size, also while it is used.
	ResizeDisk(ctx context.Context, id string, size int64) error
	// Credits is the account of a burst instance, with the series "1s" or "5m"
	// unless it is "".
	Credits(ctx context.Context, id, series string) (api.CPUCredits, error)
	// Changes lists what an instance has changed of its image's files.
	Changes(ctx context.Context, id string) ([]api.FileChange, error)
	// ReadFiles writes a tar of path to w; WriteFiles unpacks one into path.
	// Both work on stopped instances too.
	ReadFiles(ctx context.Context, id, path string, w io.Writer) error
	WriteFiles(ctx context.Context, id, path string, r io.Reader) error
}

// Images is the node's image store.
type Images interface {
	List(ctx context.Context) ([]api.Image, error)
	// Inspect finds an image by name, digest or an unambiguous beginning of
	// its id.
	Inspect(ctx context.Context, name string) (api.Image, error)
	// History lists the steps that made an image, the last one first.
	History(ctx context.Context, name string) ([]api.ImageStep, error)
	// Login asks a registry whether it accepts a credential.
	Login(ctx context.Context, r api.LoginRequest) error
	Remove(ctx context.Context, name string, force bool) ([]string, error)
	Tag(ctx context.Context, source, target string) error
	Prune(ctx context.Context, p api.PruneRequest) (api.PruneReport, error)
	// The transfers report their progress; report is called from several
	// goroutines, one call at a time, and must not block for long.
	Pull(ctx context.Context, r api.PullRequest, report func(api.Progress)) (api.Image, error)
	Push(ctx context.Context, r api.PushRequest, report func(api.Progress)) error
	Import(ctx context.Context, name string, r io.Reader, report func(api.Progress)) (api.Image, error)
	Export(ctx context.Context, names []string, f api.ExportFormat, w io.Writer) error
}
