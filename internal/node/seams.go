package node

import (
	"context"
	"io"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/network"
)

// Engine runs one isolation. Its methods may be called concurrently for
// different instances; the node calls at most one of Start, Stop, Pause and
// Remove at a time for one instance.
type Engine interface {
	// Start runs one life. It is idempotent for a life that runs already. A
	// failure leaves nothing of the life behind and is an *api.Error when the
	// task was at fault.
	Start(ctx context.Context, t engine.Task) (engine.Started, error)
	// Lives lists what runs and what has ended since it was last forgotten.
	Lives(ctx context.Context) ([]engine.Life, error)
	// Exits delivers the end of each life once; unforgotten ones come again
	// from Lives after a restart of the daemon.
	Exits() <-chan engine.Exit
	// Forget gives back everything that the ended life held but the writable
	// layer. Idempotent.
	Forget(ctx context.Context, instance string, life int) error
	// Remove gives back everything of an instance that does not run.
	// Idempotent.
	Remove(ctx context.Context, instance string) error

	Signal(ctx context.Context, instance string, signal string) error
	// Kill ends every process of the instance.
	Kill(ctx context.Context, instance string) error
	Pause(ctx context.Context, instance string) error
	Unpause(ctx context.Context, instance string) error
	// Update changes the limits of a running instance.
	Update(ctx context.Context, instance string, r api.Resources) error

	Attach(ctx context.Context, instance string, life int) (engine.Session, error)
	Exec(ctx context.Context, t engine.Task, spec api.ExecSpec) (engine.Session, error)
	// Stats fills everything but Network, Name and Instance.
	Stats(ctx context.Context, instance string) (api.Stats, error)
	Processes(ctx context.Context, instance string) ([]api.Process, error)
	ReadFiles(ctx context.Context, t engine.Task, path string, w io.Writer) error
	WriteFiles(ctx context.Context, t engine.Task, path string, r io.Reader) error

	Inventory
}

// Inventory lists and collects one subsystem's resources on the node.
type Inventory interface {
	// Resources reads from the kernel and the disk what bears virga's name.
	Resources(ctx context.Context) ([]api.Resource, error)
	// Collect gives one back. Idempotent.
	Collect(ctx context.Context, r api.Resource) error
}

// Images resolves an image to what a task needs, and keeps it while it is used.
type Images interface {
	// Resolve returns the image and the directories of its unpacked layers,
	// top first.
	Resolve(ctx context.Context, name string) (api.Image, []string, error)
	Inventory
}

// Network gives instances their place on the network.
type Network interface {
	// Attach takes a ready sandbox and makes it the instance's. Idempotent for
	// one instance: a second call replaces the first.
	Attach(ctx context.Context, r network.Request) (*network.Attachment, error)
	// Detach takes back addresses, ports and names. Idempotent.
	Detach(ctx context.Context, instance string) error
	// Adopt tells the network of an instance that runs already, after a
	// restart of the daemon.
	Adopt(ctx context.Context, r network.Request, have []api.AddressOn, ports []api.Port) error
	Stats(ctx context.Context, instance string) (api.NetStats, error)
	Inventory
}
