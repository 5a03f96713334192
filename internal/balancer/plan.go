package balancer

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/service"
	"github.com/virga-cloud/virga/internal/dns"
	"github.com/virga-cloud/virga/internal/linux/nft"
	"github.com/virga-cloud/virga/internal/network"
	"github.com/virga-cloud/virga/internal/proxy"
)

// place is where HTTP is served: a service's address, or with an invalid one
// every address of the node.
type place struct {
	addr netip.Addr
	port uint16
}

// door is what is served at a place.
type door struct {
	secure   bool
	config   proxy.Config
	services []*api.Service // whose requests come this way; they have the certificates
}

// plan is all that a node does for its services.
type plan struct {
	fronts []network.Front
	doors  map[place]*door
	pools  map[string]string // ids of services by their pools
	// problems are routes of services, by their ids, that lead nowhere.
	problems map[string][]string
}

// addresses are a service's own.
type addresses struct {
	v4, v6 netip.Addr // v6 is invalid where its network has no IPv6
}

// makePlan says what to do for services, given the backends and the IPv6 address
// of each by its id.
func makePlan(services []*api.Service, backends map[string][]api.ServiceBackend, address6 map[string]netip.Addr) plan {
	p := plan{doors: map[place]*door{}, pools: map[string]string{}, problems: map[string][]string{}}
	services = slices.Clone(services)
	slices.SortFunc(services, func(a, b *api.Service) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	named := map[string]*api.Service{}
	for _, s := range services {
		named[s.Project+"/"+s.Name] = s
	}
	for _, s := range services {
		own := addresses{s.Address, address6[s.ID]}
		p.fronts = append(p.fronts, front(s, own, backends[s.ID]))
		for _, r := range s.Spec.Routes {
			if r.Service != "" && named[s.Project+"/"+r.Service] == nil {
				p.problems[s.ID] = append(p.problems[s.ID], fmt.Sprintf("%s%s leads to service %s, which does not exist", r.Host, r.Path, r.Service))
			}
		}
		for _, port := range s.Spec.Ports {
			if !port.HTTP() {
				continue
			}
			places := []place{{own.v4, port.Port}}
			if own.v6.IsValid() {
				places = append(places, place{own.v6, port.Port})
			}
			if port.Publish != 0 {
				places = append(places, place{port: port.Publish})
			}
			for _, at := range places {
				p.open(at, s, port, named, backends)
			}
		}
	}
	return p
}

// front is a service's place on the network, with what the kernel balances.
func front(s *api.Service, own addresses, backends []api.ServiceBackend) network.Front {
	f := network.Front{Service: s.ID, Name: s.Name, Project: s.Project, Network: s.Spec.Network, Addr: own.v4, Addr6: own.v6}
	for _, port := range s.Spec.Ports {
		protocol, number := "tcp", uint8(syscall.IPPROTO_TCP)
		if port.Protocol == api.ProtocolUDP {
			protocol, number = "udp", syscall.IPPROTO_UDP
		}
		f.Names = append(f.Names, dns.Port{Name: port.Name, Protocol: protocol, Number: port.Port})
		if port.HTTP() {
			continue
		}
		b := nft.Balanced{Protocol: number, Sticky: s.Spec.Balance.Affinity == api.AffinitySource}
		balance := func(at, anywhere netip.Addr) {
			b.At, b.Targets = netip.AddrPortFrom(at, port.Port), targets(backends, at.Is6(), port.Target)
			f.Balanced = append(f.Balanced, b)
			if port.Publish != 0 {
				b.At = netip.AddrPortFrom(anywhere, port.Publish)
				f.Balanced = append(f.Balanced, b)
			}
		}
		balance(own.v4, netip.IPv4Unspecified())
		if own.v6.IsValid() {
			balance(own.v6, netip.IPv6Unspecified())
		}
	}
	return f
}

// targets are the backends that get new connections, by their addresses of one
// family.
func targets(backends []api.ServiceBackend, v6 bool, port uint16) []nft.Target {
	var out []nft.Target
	for _, b := range backends {
		a := b.Address
		if v6 {
			a = b.Address6
		}
		if b.State == api.BackendUp && a.IsValid() && a.Is6() == v6 {
			out = append(out, nft.Target{To: netip.AddrPortFrom(a, port), Weight: b.Weight})
		}
	}
	return out
}

// open adds a service's routes to the door at a place.
func (p *plan) open(at place, s *api.Service, port api.ServicePort, named map[string]*api.Service, backends map[string][]api.ServiceBackend) {
	secure := port.Protocol == api.ProtocolHTTPS
	d := p.doors[at]
	if d == nil {
		d = &door{secure: secure}
		p.doors[at] = d
	}
	if d.secure != secure {
		return // refused when it was created; the older service keeps the door
	}
	d.services = append(d.services, s)
	for _, r := range service.Routes(&s.Spec) {
		to, target := s, port.Target
		if r.Service != "" {
			if to = named[s.Project+"/"+r.Service]; to == nil {
				to, target = &api.Service{Meta: api.Meta{Name: r.Service, Project: s.Project}}, 0
			} else {
				target, _ = httpTarget(&to.Spec)
			}
		}
		pool := pool(to, target, backends[to.ID])
		p.pools[pool.Name] = to.ID
		d.config.Routes = append(d.config.Routes, proxy.Route{Host: r.Host, Path: r.Path, StripPath: r.Strip, Pool: pool.Name})
		if !slices.ContainsFunc(d.config.Pools, func(o proxy.Pool) bool { return o.Name == pool.Name }) {
			d.config.Pools = append(d.config.Pools, pool)
		}
	}
}

// httpTarget is the port at which the instances of a service speak HTTP.
func httpTarget(s *api.ServiceSpec) (uint16, bool) {
	for _, p := range s.Ports {
		if p.HTTP() {
			return p.Target, true
		}
	}
	return service.CheckedPort(s)
}

// pool are the backends of a service at one of their ports.
func pool(s *api.Service, target uint16, backends []api.ServiceBackend) proxy.Pool {
	b := s.Spec.Balance
	p := proxy.Pool{
		Name:      s.Name + "." + s.Project,
		SlowStart: time.Duration(b.SlowStart), Hold: time.Duration(b.Hold), HeadTimeout: time.Duration(b.Timeout),
		MaxBody: s.Spec.MaxBody, Source: b.Affinity == api.AffinitySource, AccessLog: s.Spec.AccessLog, TrustedProxies: s.Spec.TrustedProxies,
	}
	if target != 0 {
		p.Name += ":" + strconv.Itoa(int(target))
	}
	if b.Affinity == api.AffinityCookie {
		p.Affinity = b.Cookie
	}
	if b.Retries != nil {
		if p.Retries = *b.Retries; p.Retries == 0 {
			p.Retries = -1
		}
	}
	for _, b := range backends {
		if b.State == api.BackendIdle || !b.Address.IsValid() {
			continue
		}
		p.Backends = append(p.Backends, proxy.Backend{
			ID: b.Instance, Addr: netip.AddrPortFrom(b.Address, target), Weight: b.Weight,
			Down: b.State == api.BackendStarting || b.State == api.BackendDown, Draining: b.State == api.BackendDraining,
		})
	}
	return p
}
