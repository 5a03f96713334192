package node

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/disk"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/volume"
)

// Config is what an Agent stands on. Every field but Drainer and Ledger
// is required.
type Config struct {
	Name    string            // of the node; instances bound to it are this agent's
	Labels  map[string]string // that placements speak of
	Version string            // of virga, for Info
	DataDir string
	Volumes *volume.Store
	Disks   *disk.Store // the writable layers with a size
	// Reserve is kept for the system; memory 0 derives from what the machine has.
	Reserve api.Amount

	Store   *store.Store
	Engine  Engine
	Images  Images
	Network Network
	CPU     CPU
	Drainer Drainer // nil: an instance is asked to stop at once
	Ledger  Ledger  // nil: nothing is recorded
	// Logs yields the lines of a log file; when following it ends after what
	// was written before ended was closed.
	Logs func(ctx context.Context, path string, o api.LogOptions, ended <-chan struct{}) iter.Seq2[api.LogLine, error]
	// Features probes the kernel, once.
	Features func() []api.Feature
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	Log    *slog.Logger
}

// Agent makes the instances bound to its node what the store desires. Nothing
// is polled: a change in the store, the end of a life or a timer makes the
// instance's worker look again.
type Agent struct {
	Config
	started time.Time

	mu      sync.Mutex
	workers map[string]*worker // +checklocks:mu by instance id
	closed  bool               // +checklocks:mu no new work

	adopted chan struct{} // closed when what ran before is taken up and the networks are there
	ended   chan struct{} // closed when Run returns

	networks sync.Mutex // one change of the node's networks at a time

	slots  chan struct{}
	wg     sync.WaitGroup
	events context.Context // ends when Run does
}

// maxBusy bounds the instances that are worked on at the same time.
const maxBusy = 64

// New makes an agent. It does nothing before Run.
func New(c Config) *Agent {
	return &Agent{
		Config:  c,
		started: time.Now(),
		workers: map[string]*worker{},
		adopted: make(chan struct{}),
		ended:   make(chan struct{}),
		slots:   make(chan struct{}, maxBusy),
		events:  context.Background(),
	}
}

func (a *Agent) instancesDir() string         { return filepath.Join(a.DataDir, "instances") }
func (a *Agent) instanceDir(id string) string { return filepath.Join(a.instancesDir(), id) }

// Run adopts what runs already, calls ready, and follows the store until ctx
// ends. Instances go on after it has returned.
func (a *Agent) Run(ctx context.Context, ready func()) error {
	a.events = ctx
	defer a.stop()
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	networks, rules := a.Store.Networks.Watch(watchCtx), a.Store.Rules.Watch(watchCtx)
	changes := a.Store.Instances.Watch(watchCtx)
	if err := a.adopt(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to end; the next agent adopts
		}
		return fmt.Errorf("adopt instances: %w", err)
	}
	if err := a.SetNetworks(ctx); err != nil && ctx.Err() == nil {
		a.Log.Error("networks are not as stored", "error", err)
	}
	close(a.adopted)
	a.kickAll()
	ready()
	a.wg.Go(func() { a.housekeep(ctx) })
	a.wg.Go(func() { a.followNetworks(watchCtx, networks, rules) })
	exits := a.Engine.Exits()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-exits:
			if !ok {
				return fmt.Errorf("the engine stopped reporting exits")
			}
			a.exited(e)
		case c, ok := <-changes:
			if ok {
				a.kick(c.ID)
				continue
			}
			if ctx.Err() != nil {
				return nil
			}
			changes = a.Store.Instances.Watch(watchCtx) // we were too slow: look at everything
			a.kickAll()
		}
	}
}

// Known waits until the agent knows what runs: before, the phase of an instance
// may be older than its life.
func (a *Agent) Known(ctx context.Context) error {
	select {
	case <-a.adopted:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-a.ended:
		return api.Errorf(api.CodeUnavailable, "the daemon is ending").WithHint("try again when it has been started")
	}
}

func (a *Agent) stop() {
	close(a.ended)
	a.mu.Lock()
	a.closed = true
	for _, w := range a.workers {
		w.disarm()
	}
	a.mu.Unlock()
	a.wg.Wait()
	a.forgetAll()
}

// forgetAll has the engine forget what ended shortly before the agent did.
func (a *Agent) forgetAll() {
	a.mu.Lock()
	workers := slices.Collect(maps.Values(a.workers))
	a.mu.Unlock()
	for _, w := range workers {
		if w.snapshot().held == 0 {
			continue
		}
		// The next agent does what this one could not.
		if err := a.forget(context.WithoutCancel(a.events), w); err != nil {
			a.Log.Warn("forget an ended life", "instance", w.id, "error", err)
		}
	}
}

func (a *Agent) kickAll() {
	for _, in := range a.Store.Instances.Views() {
		if in.Node == a.Name {
			a.kick(in.ID)
		}
	}
}

// exited takes note that a life ended.
func (a *Agent) exited(e engine.Exit) {
	w := a.worker(e.Instance)
	w.mu.Lock()
	if e.Life >= w.life && e.Life > w.done {
		w.life = e.Life
		w.facts.alive = false
		w.facts.exit = &e
	}
	w.mu.Unlock()
	a.kick(e.Instance)
}

// observe changes a status at once and stores it soon: for what adopt would
// find again after a crash.
func (a *Agent) observe(id string, change func(*api.InstanceStatus)) error {
	return a.Store.Instances.Observe(id, func(in *api.Instance) { change(&in.Status) })
}

// persist changes a status and returns when it is on disk.
func (a *Agent) persist(ctx context.Context, id string, change func(*api.Instance)) (api.Instance, error) {
	return a.Store.Instances.Update(ctx, id, func(in *api.Instance) error {
		change(in)
		return nil
	})
}

// record appends an event about an instance.
func (a *Agent) record(in *api.Instance, action, message string, attrs map[string]string) {
	a.Record(api.Event{
		Time: time.Now(), Kind: "instance", Action: action,
		ID: in.ID, Name: in.Name, Project: in.Project, Message: message, Attrs: attrs,
	})
}
