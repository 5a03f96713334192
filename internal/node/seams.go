package node

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/nft"
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
	// Changes lists what the instance has changed of its image's files.
	Changes(ctx context.Context, t engine.Task) ([]api.FileChange, error)
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
	// Set makes the networks of the node those given. Declarative and safe to
	// repeat; one that instances are attached to is kept.
	Set(ctx context.Context, networks []api.Network) error
	// SetRules makes the rules between instances those given. Declarative and
	// safe to repeat.
	SetRules(ctx context.Context, rules []api.Rule) error
	// RuleCounts is what rules have matched, by their ids.
	RuleCounts() (map[string]nft.Count, error)
	// Routes are the destinations that the node reaches otherwise.
	Routes() ([]netip.Prefix, error)
	// Attach takes a ready sandbox and makes it the instance's. Idempotent for
	// one instance: a second call replaces the first.
	Attach(ctx context.Context, r network.Request) (*network.Attachment, error)
	// Detach takes back addresses, ports and names. Idempotent.
	Detach(ctx context.Context, instance string) error
	// Reconnect makes the networks of a running instance those of r and
	// returns its addresses, and new TAPs. Without an attachment they are as
	// they were. Idempotent.
	Reconnect(ctx context.Context, r network.Request) (*network.Attachment, error)
	// Adopt tells the network of an instance that runs already, after a
	// restart of the daemon.
	Adopt(ctx context.Context, r network.Request, have []api.AddressOn, ports []api.Port) error
	// Limit holds each interface of a running instance to rates. Idempotent.
	Limit(ctx context.Context, instance string, rate api.NetworkRate) error
	Stats(ctx context.Context, instance string) (api.NetStats, error)
	Inventory
}

// CPU gives instances their part of the node's CPUs, and keeps the accounts of
// burst instances. Methods that only take note never block for long.
type CPU interface {
	// Admit reserves what an instance is to have, before each of its lives,
	// and returns what the engine is to start it with. Idempotent. It is an
	// *api.Error when cores are short.
	Admit(cpu.Claim) (cpu.Grant, error)
	// Started says that the life runs: its account begins to earn and spend.
	Started(instance string)
	// Change is Admit for an instance that runs: the engine is to update it
	// with what is returned, and Started to be called after that.
	Change(cpu.Claim) (cpu.Grant, error)
	// Ended says that the life has ended and another one follows.
	Ended(instance string)
	// Release says that the instance rests: cores are given back, launch
	// credits end. The balance is kept for a while. Idempotent.
	Release(instance string)
	// Forget drops everything of an instance that is removed.
	Forget(instance string)
	// Adopt is Admit and Started for a life that runs already, after a
	// restart of the daemon.
	Adopt(cpu.Claim) (cpu.Grant, error)
	// Credits is the account of a burst instance; false for another.
	Credits(instance string) (api.CPUCredits, bool)
	// Series is an account's past in steps of cpu.Second or cpu.FiveMinutes,
	// oldest first.
	Series(instance string, step time.Duration) []api.CreditSample
}

// Drainer takes an instance out of what sends it requests, before it is asked
// to stop.
type Drainer interface {
	// Drain returns when the requests under way have ended or their time has,
	// and at once for an instance that nobody sends requests to.
	Drain(ctx context.Context, instance string)
}

// Ledger records what ran, for who pays for it. Its methods do not block for
// long and may be called again for the same event.
type Ledger interface {
	// Ended says that a life of an instance has ended. It is called before the
	// store is told, so that a crash in between repeats it. last says that no
	// other follows by itself.
	Ended(in *api.Instance, life int, at time.Time, last bool)
	// Removing says that an instance is about to be removed, and its CPU
	// credits forgotten.
	Removing(in *api.Instance)
}
