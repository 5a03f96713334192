package network

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/dns"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/nft"
	"github.com/virga-cloud/virga/internal/network/autoconf"
)

// Fabric is all of a node's networks. It works in the network namespace it was
// made in. Its methods may be called concurrently, for one instance one at a
// time.
type Fabric struct {
	config Config
	conn   *link.Conn
	table  *nft.Table
	policy *nft.Policies
	guard  *nft.Guard
	pass   *nft.Passage
	ids    *idRanges
	warm   *warm
	dns    *dns.Server
	labels *labels
	fronts *fronts
	doors  doors

	adopted, fronted sync.Once
	unknown          atomic.Int32 // how many of these two names still wait for

	autoconf *autoconf.Server
	guiding  sync.Mutex // keeps what guests are told in order; taken before mu

	stop context.CancelFunc // ends work
	work sync.WaitGroup

	// setting keeps one change of networks or rules at a time. It is taken
	// before mu.
	setting sync.Mutex

	mu       sync.Mutex
	segments map[string]*segment // +checklocks:mu; by key
	members  map[string]*member  // +checklocks:mu; by instance
	access   []api.Rule          // +checklocks:mu; rules between instances
	judging  bool                // +checklocks:mu; SetRules was called
	left     remains             // +checklocks:mu; of an earlier daemon
	leaving  []int               // +checklocks:mu; guarded links that are about to go
	droppers []string            // +checklocks:mu; chains of others that drop what is forwarded
	asked    map[asked]string    // +checklocks:mu; the instances that asked
}

// New takes the networks of the node in hand; the default one is up when it
// returns. What an earlier daemon left is taken over.
func New(ctx context.Context, c Config) (*Fabric, error) {
	conn, err := link.Open(nil)
	if err != nil {
		return nil, err
	}
	f := &Fabric{conn: conn, segments: map[string]*segment{}, members: map[string]*member{}, asked: map[asked]string{}}
	if f.config, err = c.withDefaults(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if f.table, err = nft.Open(f.config.Table); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if f.policy, err = nft.OpenPolicies(f.config.Table); err != nil {
		return nil, errors.Join(err, f.table.Close(), conn.Close())
	}
	if f.guard, err = f.openGuard(); err != nil {
		return nil, errors.Join(err, f.policy.Close(), f.table.Close(), conn.Close())
	}
	if f.pass, err = nft.OpenPassage(f.config.Table, f.config.Prefix); err != nil {
		return nil, errors.Join(err, f.guard.Close(), f.policy.Close(), f.table.Close(), conn.Close())
	}
	if f.ids, err = newIDRanges(); err != nil {
		return nil, errors.Join(err, f.table.Close(), conn.Close())
	}
	f.dns = dns.NewServer(dns.Config{
		Domain: f.config.Domain, Project: api.DefaultProject, ResolvConf: f.config.ResolvConf,
		Pending: f.config.Adopting, Log: f.config.Log,
	})
	f.unknown.Store(2)
	if f.left, err = f.remains(); err != nil {
		return nil, errors.Join(err, f.dns.Close(), f.table.Close(), conn.Close())
	}
	if f.autoconf, err = autoconf.NewServer(f.config.Log); err != nil {
		return nil, errors.Join(err, f.dns.Close(), f.table.Close(), conn.Close())
	}
	if f.labels, err = newLabels(f.config.Log); err != nil {
		return nil, errors.Join(err, f.dns.Close(), f.table.Close(), conn.Close())
	}
	if err := f.Set(ctx, f.config.Networks); err != nil {
		f.labels.close()
		return nil, errors.Join(err, f.dns.Close(), f.table.Close(), conn.Close())
	}
	if f.fronts, err = newFronts(f.config); err != nil {
		f.labels.close()
		return nil, errors.Join(err, f.dns.Close(), f.table.Close(), conn.Close())
	}
	f.warm = newWarm(f, f.segments[api.NetworkDefault], f.config.Ready)
	f.getBy()
	f.warnOfDroppers()
	repairing, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.work.Go(func() { f.repair(repairing) })
	return f, nil
}

// Set makes the networks of the node those given and the default one. It is
// declarative and safe to repeat: what is there already stays as it is. A
// network that instances are attached to is not removed.
func (f *Fabric) Set(ctx context.Context, networks []api.Network) error {
	f.setting.Lock()
	defer f.setting.Unlock()
	wanted, err := f.plan(networks)
	if err != nil {
		return err
	}
	for _, s := range wanted {
		if err := s.up(f.conn); err != nil {
			return fmt.Errorf("network %s: %w", s.name, err)
		}
		if err := f.occupy(s); err != nil {
			return fmt.Errorf("network %s: %w", s.name, err)
		}
	}
	if err := f.forward(); err != nil {
		return err
	}
	if err := f.forward6(wanted); err != nil {
		return err
	}
	for _, s := range wanted {
		f.listen(ctx, s)
		f.openDoor(ctx, s)
	}
	f.mu.Lock()
	gone := f.replace(wanted)
	f.mu.Unlock()
	if err := f.table.Set(f.rules()); err != nil {
		return err
	}
	if err := f.applyRules(); err != nil {
		return err
	}
	for _, s := range gone {
		f.dns.Unlisten(s.key)
		f.closeDoor(s.key)
		if err := f.conn.Do(link.Delete(s.bridge)); err != nil {
			return fmt.Errorf("network %s: %w", s.name, err)
		}
	}
	return nil
}

// listen answers names on a network. Where another program has the port, the
// network's instances ask the node's name servers and cannot find each other
// by name.
func (f *Fabric) listen(ctx context.Context, s *segment) {
	err := f.dns.Listen(ctx, s.key, s.gateways()...)
	if err != nil {
		f.config.Log.Error("instances cannot be found by name", "network", s.name, "err", err)
	}
	s.resolves.Store(err == nil)
}

// plan checks all networks and keeps the segments that exist and did not change.
func (f *Fabric) plan(networks []api.Network) (map[string]*segment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	def := api.Network{Meta: api.Meta{Name: api.NetworkDefault}, Spec: api.NetworkSpec{Subnet: f.config.Subnet}}
	if s := f.segments[api.NetworkDefault]; s != nil {
		def.Spec = s.spec
	}
	// It comes first: what overlaps it is at fault, not it.
	all := []api.Network{def}
	for _, n := range networks {
		if n.Name == api.NetworkDefault {
			all[0] = n
			continue
		}
		all = append(all, n)
	}
	wanted := map[string]*segment{}
	var taken []netip.Prefix
	for _, n := range all {
		key := segmentKey(n.Project, n.Name)
		s, ok := f.segments[key]
		if !ok || !same(s.spec, n.Spec) {
			if ok && (f.attached(s) || key == api.NetworkDefault) {
				return nil, api.Errorf(api.CodeConflict, "network %s has instances and cannot change", n.Name).
					WithHint("stop its instances first")
			}
			var err error
			if s, err = f.newSegment(n, taken); err != nil {
				return nil, err
			}
		}
		taken = append(taken, s.subnets()...)
		wanted[key] = s
	}
	return wanted, nil
}

// Routes are the destinations that the node reaches otherwise than by virga's
// networks.
func (f *Fabric) Routes() ([]netip.Prefix, error) {
	all, err := f.conn.Routes()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(all, func(p netip.Prefix) bool {
		for _, s := range f.segments {
			if s.owns(p.Addr()) {
				return true
			}
		}
		return p.Bits() == 0 || p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast() || p.Addr().IsLoopback()
	}), nil
}

func same(a, b api.NetworkSpec) bool {
	return a == b
}

// attached says whether instances are on s.
//
// +checklocks:f.mu
func (f *Fabric) attached(s *segment) bool {
	for _, m := range f.members {
		for _, p := range m.ports {
			if p.segment == s {
				return true
			}
		}
	}
	return false
}

// replace installs the segments and returns those whose bridges are to go.
//
// +checklocks:f.mu
func (f *Fabric) replace(wanted map[string]*segment) []*segment {
	var gone []*segment
	for key, s := range f.segments {
		if wanted[key] != nil {
			continue
		}
		if f.attached(s) {
			wanted[key] = s
			continue
		}
		gone = append(gone, s)
	}
	f.segments = wanted
	return gone
}

// rules is what nftables should know of the networks now.
func (f *Fabric) rules() []nft.Network {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []nft.Network
	for _, s := range f.segments {
		out = append(out, s.rules())
	}
	return out
}

// forward turns packet forwarding on, which the way out needs.
func (f *Fabric) forward() error {
	const path = "net/ipv4/ip_forward"
	changed, err := f.former().set(path, "1")
	if changed {
		f.config.Log.Info("turned packet forwarding on", "setting", path)
	}
	return err
}

func (f *Fabric) former() former { return former{f.config.Former, settingsRoot} }

// Clear removes the bridges and rules, for a node that is to be as it was
// before virga. It is refused while instances are attached; after it, only
// Close may be called.
func (f *Fabric) Clear() error {
	f.setting.Lock()
	defer f.setting.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if len(m.ports) > 0 {
			return api.Errorf(api.CodeConflict, "instance %s is attached to network %s", m.name, m.ports[0].segment.name).
				WithHint("remove the node's instances first")
		}
	}
	f.stop()
	err := errors.Join(f.table.Delete(), f.fronts.balance.Delete(), f.policy.Delete(), f.guard.Delete(), f.pass.Delete())
	for _, s := range f.segments {
		f.dns.Unlisten(s.key)
		err = errors.Join(err, f.conn.Do(link.Delete(s.bridge)))
	}
	return err
}

// Close gives the ready sandboxes back and closes what is open. Instances keep
// their networks.
func (f *Fabric) Close() error {
	f.stop()
	f.work.Wait()
	f.warm.close()
	f.labels.close()
	f.closeDoors()
	err := errors.Join(f.dns.Close(), f.autoconf.Close())
	f.mu.Lock()
	for _, m := range f.members {
		for _, p := range m.published {
			p.release()
		}
	}
	f.mu.Unlock()
	return errors.Join(err, f.closeFronts(), f.pass.Close(), f.guard.Close(), f.policy.Close(), f.table.Close(), f.conn.Close())
}

// linkName is a new name for the node's end of a link; whose it is says its
// alias, because a ready link has no owner yet.
func (f *Fabric) linkName() string { return "vg" + strings.ToLower(rand.Text()[:12]) }
