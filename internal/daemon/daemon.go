package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/balancer"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/config"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/controller"
	"github.com/virga-cloud/virga/internal/control/event"
	"github.com/virga-cloud/virga/internal/control/ledger"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/disk"
	"github.com/virga-cloud/virga/internal/image"
	"github.com/virga-cloud/virga/internal/linux/pagecache"
	"github.com/virga-cloud/virga/internal/linux/probe"
	"github.com/virga-cloud/virga/internal/metadata"
	"github.com/virga-cloud/virga/internal/metrics"
	"github.com/virga-cloud/virga/internal/network"
	"github.com/virga-cloud/virga/internal/node"
	"github.com/virga-cloud/virga/internal/server"
	"github.com/virga-cloud/virga/internal/version"
	"github.com/virga-cloud/virga/internal/volume"
)

// Daemon is one node's control plane and agent. Its fields are made by New,
// from the bottom up.
type Daemon struct {
	config config.Config
	log    *slog.Logger
	name   string // of the node
	// command is the file of the command virga, or "".
	command string

	store   *store.Store
	events  *event.Log
	images  *image.Store
	ground  *ground
	cpu     *cpu.Controller
	node    *node.Agent
	server  *server.Server
	metrics http.Handler
	// metadata tells instances of themselves.
	metadata *metadata.Service
	// admission is what lets instances in, whoever asks for them.
	admission *control.Admission
	// authority signs the certificates of https services and of the API.
	authority *ca.Authority
	// ledger is the record of what ran, and what it cost.
	ledger *ledger.Ledger
	// services give instances stable names and addresses.
	services *balancer.Controller
	// webhook sends events to the operator's address, or is nil.
	webhook *event.Webhook
	// activator brings groups back that requests wait for.
	activator *controller.Activator

	closers []func() error // in the order the parts were made
}

// grace is how long calls under way may take when the daemon ends.
const grace = 10 * time.Second

// New makes a daemon. The data directory is its own until Close.
func New(ctx context.Context, c config.Config, log *slog.Logger) (_ *Daemon, err error) {
	d := &Daemon{config: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	l, err := lock(c.DataDir)
	if err != nil {
		return nil, err
	}
	d.onClose(l.Close)
	if d.name, err = nodeName(c.DataDir, c.Node); err != nil {
		return nil, err
	}
	if d.store, err = store.Open(ctx, d.dir("store"), log); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	d.onClose(d.store.Close)
	if d.events, err = event.Open(d.dir("events"), log); err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	d.onClose(d.events.Close)
	if d.webhook, err = d.newWebhook(); err != nil {
		return nil, err
	}
	if d.images, err = image.Open(ctx, image.Config{Dir: d.dir("images"), Log: log, InUse: d.imagesInUse}); err != nil {
		return nil, fmt.Errorf("open images: %w", err)
	}
	d.onClose(d.images.Close)
	networks, err := d.networks(ctx)
	if err != nil {
		return nil, err
	}
	if d.ground, err = newGround(ctx, d.config, networks, log); err != nil {
		return nil, err
	}
	d.onClose(d.ground.close)
	changed := func(id, message string) { d.node.CPUsChanged(id, message) }
	if d.cpu, err = newCPU(d.dir("cpu"), c.ReserveCPUs, c.PromptQuotas == "on", d.ground.engine, changed, log); err != nil {
		return nil, fmt.Errorf("set up the CPUs: %w", err)
	}
	d.onClose(d.cpu.Close)

	types, err := loadTypes(c.TypesFile)
	if err != nil {
		return nil, err
	}
	disks := disk.Open(c.DataDir, log)
	volumes := volume.New(d.dir("volumes"), disks, image.Unpack)
	if d.services, err = d.newServices(); err != nil {
		return nil, err
	}
	d.metadata = d.newMetadata(d.authority)
	d.node = node.New(node.Config{
		Name: d.name, Labels: nodeLabels(d.name, c.Labels), Version: version.Version, DataDir: c.DataDir, Volumes: volumes, Disks: disks,
		Reserve: api.Amount{VCPUs: c.ReserveCPUs, Memory: c.ReserveMemory},
		Store:   d.store, Engine: d.ground.engine, Images: d.images, Network: d.ground.network, CPU: d.cpu, Drainer: d.services,
		Logs: readLog, Features: sync.OnceValue(func() []api.Feature { return probe.Features(c.DataDir) }), Record: d.events.Append, Log: log,
	})
	info, err := d.node.Info(ctx)
	if err != nil {
		return nil, err
	}
	d.admission = &control.Admission{
		Store: d.store, Node: d.name, Labels: nodeLabels(d.name, c.Labels), Types: control.Types{Store: d.store, File: types.Types, Prices: types.Rates}, Supply: supply(d.name, info.Capacity, c),
		Images: d.images, Record: d.events.Append, Prices: &control.Prices{Store: d.store, Node: d.name},
		Ahead: d.node.Ahead,
	}
	if d.ledger, err = d.openLedger(info.Capacity, d.admission, volumes); err != nil {
		return nil, err
	}
	d.onClose(d.ledger.Close)
	d.node.Ledger = d.ledger
	d.metrics = metrics.Handler(figures{d.node, d.cpu, d.store, d.admission, d.services, d.ledger, volumes}, log)
	d.server = server.New(server.Config{
		Store: d.store, Admission: d.admission, Node: d.node, NodeName: d.name, Images: d.images, Volumes: volumes, Events: d.events,
		Services: d.services, Costs: d.ledger,
		Version: version.Version, Log: log, Metrics: d.metrics, Group: groupID(c.Group),
	})
	return d, nil
}

// Run serves until ctx ends or a part fails. Instances go on.
func (d *Daemon) Run(ctx context.Context) error {
	listener, err := server.ListenUnix(d.config.Socket, groupID(d.config.Group))
	if err != nil {
		return err
	}
	remote, err := listenTLS(d.config, d.authority, d.log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	agent, endAgent := context.WithCancel(context.WithoutCancel(ctx))
	defer endAgent()
	adopted := make(chan struct{})
	group.Go(func() error {
		return d.node.Run(agent, func() {
			close(adopted)
			d.ground.network.Adopted()
			d.ground.network.ServeMetadata(d.metadata.Serve)
			d.ready()
		})
	})
	group.Go(func() error {
		select {
		case <-adopted:
			return d.cpu.Run(agent)
		case <-agent.Done():
			return nil
		}
	})
	group.Go(func() error {
		select {
		case <-adopted:
			d.enlargeCommand()
		case <-agent.Done():
		}
		return nil
	})
	group.Go(func() error { return d.services.Run(agent) })
	group.Go(func() error { return d.ledger.Run(agent) })
	group.Go(func() error { return d.server.Serve(listener) })
	if remote != nil {
		d.log.Info("listening for bearers of tokens", "address", remote.Addr())
		group.Go(func() error { return d.server.Serve(remote) })
	}
	if d.config.MetricsListen.IsValid() {
		group.Go(func() error { return serveMetrics(ctx, d.config.MetricsListen.String(), d.metrics, d.log) })
	}
	if d.webhook != nil {
		group.Go(func() error { d.webhook.Run(ctx); return nil })
	}
	group.Go(func() error {
		// The data directory, and with it the store, is this process's alone.
		lease := store.Lease{Store: d.store, Name: "controllers", Holder: d.name, Alone: true, Log: d.log}
		lease.Hold(ctx, func(ctx context.Context) { controller.Run(ctx, d.log, d.controllers()) })
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		d.log.Info("ending; instances go on")
		err := notify("STOPPING=1")
		calls, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err = errors.Join(err, d.server.Close(calls))
		endAgent() // the last calls may wait for it
		return err
	})
	return group.Wait()
}

// enlargeCommand has the command's file lie in memory in large pieces, which makes
// each start of it shorter.
func (d *Daemon) enlargeCommand() {
	if d.command == "" {
		return
	}
	huge, err := pagecache.Enlarge(d.command)
	if err != nil {
		d.log.Info("the command's file was left as it lies in memory", "file", d.command, "error", err)
		return
	}
	d.log.Debug("the command's file was read anew", "file", d.command, "huge", huge)
}

func (d *Daemon) ready() {
	d.log.Info("ready", "node", d.name, "socket", d.config.Socket, "version", version.Version, "pid", os.Getpid())
	if err := notify("READY=1"); err != nil {
		d.log.Error("not announced", "error", err)
	}
}

// Close lets go of everything, the last made first. On a node that runs
// nothing, what the daemon made on it is taken away too.
func (d *Daemon) Close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i]())
	}
	d.closers = nil
	return errors.Join(errs...)
}

func (d *Daemon) onClose(f func() error) { d.closers = append(d.closers, f) }

func (d *Daemon) dir(name string) string { return filepath.Join(d.config.DataDir, name) }

// networks are those of the store, among them the one that every node has. Its
// subnet is the configured one, else the one it has, else one that is free now.
func (d *Daemon) networks(ctx context.Context) ([]api.Network, error) {
	if !d.config.Subnet.IsValid() {
		have, err := d.store.Networks.ByName(api.DefaultProject, api.NetworkDefault)
		if err == nil {
			d.config.Subnet = have.Spec.Subnet
			if free, err := network.DefaultSubnet(d.config.Prefix, have.Spec.Subnet); err == nil && free != have.Spec.Subnet {
				d.log.Warn("the machine has a route into the default network: instances may be out of reach; the setting subnet gives them another",
					"subnet", have.Spec.Subnet, "free", free)
			}
		} else if d.config.Subnet, err = network.DefaultSubnet(d.config.Prefix, d.config.FirstSubnet); err != nil {
			return nil, fmt.Errorf("choose the default network's subnet: %w", err)
		}
	}
	n := control.Networks{Store: d.store}
	if err := n.Default(ctx, d.config.Subnet); err != nil {
		return nil, fmt.Errorf("store the default network: %w", err)
	}
	return d.store.Networks.List()
}

// imagesInUse counts the instances of each image, by its id.
func (d *Daemon) imagesInUse() map[string]int {
	used := map[string]int{}
	for _, g := range d.store.Groups.Views() {
		if n := len(g.Revisions); n > 0 {
			used[g.Revisions[n-1].Image]++ // its next instance is made of it
		}
	}
	for _, in := range d.store.Instances.Views() {
		id := in.Status.Image
		if id == "" && d.images != nil { // never started
			if img, _, err := d.images.Resolve(context.Background(), in.Spec.Image); err == nil {
				id = img.ID
			}
		}
		if id != "" {
			used[id]++
		}
	}
	return used
}

var _ server.Node = (*node.Agent)(nil)
