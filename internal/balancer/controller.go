package balancer

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/control/service"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/network"
)

// Network is what the balancer asks of the node's networks.
type Network interface {
	// SetFronts makes the services on the network those given, and returns
	// what is wrong with single ones by their ids. Safe to repeat.
	SetFronts([]network.Front) (map[string]error, error)
	// Connections counts the open TCP connections that services lead to the
	// given addresses and ports of instances.
	Connections(to []netip.AddrPort) (int, error)
	// ForgetEnded forgets those that have ended: until it has, a client that
	// comes from the same port again is led to the same instance.
	ForgetEnded(to []netip.AddrPort) error
	// TryPort says whether a port of the node is free, or who has it.
	TryPort(protocol string, port uint16) error
	// Address6 is the IPv6 address that goes with an IPv4 one of a network;
	// invalid where there is no IPv6.
	Address6(project, network string, a netip.Addr) netip.Addr
}

// Config is what a Controller stands on. Every field is required.
type Config struct {
	Store     *store.Store
	Network   Network
	Authority *ca.Authority
	Public    Public
	// Exec runs a command in an instance and returns its exit status.
	Exec func(ctx context.Context, instance string, command []string) (int, error)
	// LogDir is where access logs go.
	LogDir string
	Domain string // ends the full names of services
	// Held is told of each request that waits for a service's first backend, by
	// the service's id. It must not block.
	Held func(service string)
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	Log    *slog.Logger
}

const (
	// gather is how long changes gather before they are applied together.
	gather = 5 * time.Millisecond
	// retryEvery is how often what could not be done is tried again.
	retryEvery = 2 * time.Second
)

// Controller makes a node's services work. Its methods may be called
// concurrently.
type Controller struct {
	Config
	started time.Time
	kicked  chan struct{} // room for one
	work    sync.WaitGroup
	logs    *accessLogs

	applying sync.Mutex
	doors    map[place]*openDoor // +checklocks:applying
	checks   map[checkKey]*check // +checklocks:applying
	events   context.Context     // +checklocks:applying; ends when Run does

	mu       sync.Mutex
	seen     map[string][]api.ServiceBackend // +checklocks:mu; as of the last apply, by service
	problems map[string][]string             // +checklocks:mu; by service
	draining map[string]int                  // +checklocks:mu; lives about to be stopped, by instance
	open     map[place]*openDoor             // +checklocks:mu; a copy of doors for readers
	pools    map[string]string               // +checklocks:mu; services by pool
}

// New makes a controller. It does nothing before Run.
func New(c Config) *Controller {
	return &Controller{
		Config: c, started: time.Now(), kicked: make(chan struct{}, 1), logs: newAccessLogs(c.LogDir, c.Log),
		doors: map[place]*openDoor{}, checks: map[checkKey]*check{}, events: context.Background(),
		draining: map[string]int{},
	}
}

// Run follows the store until ctx ends, then lets the requests under way
// finish. What the kernel balances goes on afterwards.
func (c *Controller) Run(ctx context.Context) error {
	c.applying.Lock()
	c.events = ctx
	c.applying.Unlock()
	c.logs.start()
	defer c.close()
	watches, cancel := context.WithCancel(ctx)
	defer cancel()
	instances, services := c.Store.Instances.Watch(watches), c.Store.Services.Watch(watches)
	networks := c.Store.Networks.Watch(watches)
	var retry <-chan time.Time
	for {
		retry = nil
		if !c.apply() {
			retry = time.After(retryEvery)
		}
		var ok bool
		select {
		case <-ctx.Done():
			return nil
		case <-retry:
			continue
		case <-c.kicked:
			ok = true
		case _, ok = <-instances:
		case _, ok = <-services:
		case _, ok = <-networks:
		}
		if !ok && ctx.Err() == nil { // too slow for one of them
			instances, services = c.Store.Instances.Watch(watches), c.Store.Services.Watch(watches)
			networks = c.Store.Networks.Watch(watches)
		}
		c.settle(ctx, instances, services, networks)
	}
}

// settle lets changes gather for a moment.
func (c *Controller) settle(ctx context.Context, watches ...<-chan store.Change) {
	t := time.NewTimer(gather)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	for _, w := range watches {
		for len(w) > 0 {
			<-w
		}
	}
}

// Apply makes everything as the store says, for who cannot wait until Run does.
func (c *Controller) Apply() {
	if !c.apply() {
		c.kick()
	}
}

// TryPort says whether a port of the node is free, or who has it.
func (c *Controller) TryPort(protocol string, port uint16) error {
	return c.Network.TryPort(protocol, port)
}

// Address6 is a service's IPv6 address; invalid where its network has no IPv6.
func (c *Controller) Address6(s *api.Service) netip.Addr {
	return c.Network.Address6(s.Project, s.Spec.Network, s.Address)
}

// Root is the certificate, in PEM, that clients trust.
func (c *Controller) Root() []byte { return c.Authority.PEM() }

// held passes on that a request to a pool waits.
func (c *Controller) held(pool string) {
	c.mu.Lock()
	service := c.pools[pool]
	c.mu.Unlock()
	if service != "" && c.Held != nil {
		c.Held(service)
	}
}

// Kick makes Run apply again, soon.
func (c *Controller) Kick() { c.kick() }

// kick makes Run apply again.
func (c *Controller) kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

// apply makes everything as the store says. It returns false when something is
// to be tried again.
func (c *Controller) apply() bool {
	c.applying.Lock()
	defer c.applying.Unlock()
	services := c.Store.Services.Views()
	instances := c.Store.Instances.Views()
	c.forgetDrained(instances)
	if len(services) > 0 || len(c.checks) > 0 {
		c.setChecks(services, instances)
	}
	known := service.Known{Draining: c.isDraining}
	backends, address6 := map[string][]api.ServiceBackend{}, map[string]netip.Addr{}
	for _, s := range services {
		address6[s.ID] = c.Address6(s)
		known.Verdict = func(in *api.Instance) service.Verdict { return c.verdict(s, in) }
		backends[s.ID] = service.Backends(s, instances, known)
	}
	p := makePlan(services, backends, address6)
	c.mu.Lock()
	c.pools = p.pools // before the first request can come
	c.mu.Unlock()
	c.logs.add(services)
	problems := c.setDoors(p)
	wrong, err := c.Network.SetFronts(p.fronts)
	for id, e := range wrong {
		problems[id] = append(problems[id], e.Error())
	}
	if err != nil {
		c.Log.Error("services are not as they should be", "error", err)
	}
	c.wantPublic(services)
	done := err == nil && len(problems) == 0
	for _, s := range services { // none of these goes by trying again here
		problems[s.ID] = append(problems[s.ID], p.problems[s.ID]...)
		if p := c.Public.Problems(publicNames(s)); len(p) > 0 {
			problems[s.ID] = append(problems[s.ID], p...)
		}
	}
	c.logs.keep(services)
	c.publish(services, backends, problems, p.pools)
	return done
}

// publish makes the result of an apply what others see, and records what has
// changed.
func (c *Controller) publish(services []*api.Service, backends map[string][]api.ServiceBackend, problems map[string][]string, pools map[string]string) {
	c.mu.Lock()
	before := c.seen
	c.seen, c.problems, c.pools = backends, problems, pools
	c.mu.Unlock()
	if before == nil {
		return // how the daemon found them is no news
	}
	for _, s := range services {
		was := map[string]api.BackendState{}
		for _, b := range before[s.ID] {
			was[b.Instance] = b.State
		}
		for _, b := range backends[s.ID] {
			if old := was[b.Instance]; old != b.State && (old != "" || b.State != api.BackendIdle) {
				c.Record(api.Event{Time: time.Now(), Kind: "service", Action: "backend-" + string(b.State), ID: s.ID, Name: s.Name,
					Project: s.Project, Message: b.Reason, Attrs: map[string]string{"instance": b.Name}})
			}
		}
	}
}

// close ends the checks and the doors.
func (c *Controller) close() {
	c.applying.Lock()
	defer c.applying.Unlock()
	for key, ch := range c.checks {
		ch.stop()
		delete(c.checks, key)
	}
	for at, d := range c.doors {
		c.shut(at, d)
	}
	c.work.Wait()
	c.logs.close()
}
