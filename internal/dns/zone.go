package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Host is an instance or a service with its names.
type Host struct {
	ID      string
	Service bool   // its name goes before the same name of instances
	Ports   []Port // they make SRV records
	Name    string // its first name, to which its addresses resolve back
	Project string
	On      []Interface
	// Upstreams are the name servers it wants asked instead of the node's.
	Upstreams []netip.AddrPort
	upstreams string // the same as a text
}

// Port is a port of a service or an instance.
type Port struct {
	Name     string // such as "http"; of an instance the number
	Protocol string // "tcp" or "udp"
	Number   uint16
}

// Interface is a host's place on one network.
type Interface struct {
	Network string
	Addrs   []netip.Addr
	Names   []string // what the host is called there
}

// Zone holds all names of the node. Its methods may be called concurrently.
type Zone struct {
	domain string // without dots at its ends, lower case
	// version grows with every change.
	version atomic.Uint64

	mu      sync.RWMutex
	hosts   map[string]*Host          // +checklocks:mu; by id
	names   map[nameKey][]record      // +checklocks:mu
	clients map[netip.Addr]*Host      // +checklocks:mu; by address
	inside  map[string][]netip.Prefix // +checklocks:mu; gateways with the lengths of their subnets, by network
}

type nameKey struct{ network, project, name string }

// record is one host's addresses under a name.
type record struct {
	host    string // id
	full    string // its first name, with project and domain
	service bool
	ports   []Port
	addrs   []netip.Addr
}

// view is what a client may see.
type view struct {
	project   string
	networks  []string
	upstreams []netip.AddrPort
	// upstreamsKey tells them from others.
	upstreamsKey string
}

// NewZone makes an empty zone whose full names are <name>.<project>.<domain>.
func NewZone(domain string) *Zone {
	return &Zone{
		domain: strings.ToLower(strings.Trim(domain, ".")),
		hosts:  map[string]*Host{}, names: map[nameKey][]record{},
		clients: map[netip.Addr]*Host{}, inside: map[string][]netip.Prefix{},
	}
}

// Put adds a host or replaces the one with its id.
func (z *Zone) Put(h Host) {
	z.mu.Lock()
	defer z.mu.Unlock()
	defer z.version.Add(1)
	z.remove(h.ID)
	h.upstreams = fmt.Sprint(h.Upstreams)
	z.hosts[h.ID] = &h
	for _, on := range h.On {
		for _, a := range on.Addrs {
			z.clients[a] = &h
		}
		for _, name := range unique(on.Names) {
			k := nameKey{on.Network, h.Project, name}
			z.names[k] = append(z.names[k], record{h.ID, h.Name + "." + h.Project + "." + z.domain, h.Service, h.Ports, on.Addrs})
		}
	}
}

// Remove takes a host out. Idempotent.
func (z *Zone) Remove(id string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	defer z.version.Add(1)
	z.remove(id)
}

// +checklocks:z.mu
func (z *Zone) remove(id string) {
	h := z.hosts[id]
	if h == nil {
		return
	}
	delete(z.hosts, id)
	for _, on := range h.On {
		for _, a := range on.Addrs {
			if z.clients[a] == h {
				delete(z.clients, a)
			}
		}
		for _, name := range unique(on.Names) {
			k := nameKey{on.Network, h.Project, name}
			left := slices.DeleteFunc(slices.Clone(z.names[k]), func(r record) bool { return r.host == id })
			if len(left) == 0 {
				delete(z.names, k)
				continue
			}
			z.names[k] = left
		}
	}
}

// unique are the names in lower case, each once.
func unique(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n = strings.ToLower(strings.Trim(n, ".")); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// view is what a client at an address sees; one that is no host sees the
// network it asks on, with the names of the default project.
func (z *Zone) view(client netip.Addr, network, project string) view {
	z.mu.RLock()
	defer z.mu.RUnlock()
	h := z.clients[client]
	if h == nil {
		return view{project: project, networks: []string{network}}
	}
	v := view{project: h.Project, upstreams: h.Upstreams, upstreamsKey: h.upstreams}
	for _, on := range h.On {
		v.networks = append(v.networks, on.Network)
	}
	return v
}

// result is what the zone says of a name.
type result int

const (
	foreign result = iota // not ours to answer
	missing               // ours, and there is no such name
	found
)

// nodeName is the node itself under the domain, as instances reach it.
const nodeName = "host"

// lookup finds the addresses of a name in lower case without its final dot.
func (z *Zone) lookup(v view, name string) ([]netip.Addr, result) {
	if name == z.domain {
		return nil, found
	}
	z.mu.RLock()
	defer z.mu.RUnlock()
	if name == nodeName+"."+z.domain {
		return z.gateways(v), found
	}
	records, r := z.records(v, name)
	var out []netip.Addr
	for _, r := range records {
		for _, a := range r.addrs {
			if !slices.Contains(out, a) { // a service is on several networks by the same address
				out = append(out, a)
			}
		}
	}
	return out, r
}

// records are those that a name stands for: the service's of that name, else
// the instances'.
//
// +checklocksread:z.mu
func (z *Zone) records(v view, name string) ([]record, result) {
	project, short := v.project, name
	rest, ours := strings.CutSuffix(name, "."+z.domain)
	if ours {
		i := strings.LastIndexByte(rest, '.')
		if i < 0 {
			return nil, missing
		}
		short, project = rest[:i], rest[i+1:]
	}
	var services, hosts []record
	for _, n := range v.networks {
		for _, r := range z.names[nameKey{n, project, short}] {
			if r.service {
				services = append(services, r)
				continue
			}
			hosts = append(hosts, r)
		}
	}
	switch {
	case len(services) > 0:
		return services, found
	case len(hosts) > 0:
		return hosts, found
	case ours || !strings.Contains(name, "."):
		return nil, missing
	}
	return nil, foreign
}

// asksPorts reports whether a name is of the form _http._tcp.web.
func asksPorts(name string) bool {
	port, rest, _ := strings.Cut(name, ".")
	return strings.HasPrefix(port, "_") && (strings.HasPrefix(rest, "_tcp.") || strings.HasPrefix(rest, "_udp."))
}

// target is a port with the full name that has it.
type target struct {
	Port
	name string
}

// ports are the ports that such a name asks for.
func (z *Zone) ports(v view, name string) ([]target, result) {
	port, rest, _ := strings.Cut(name, ".")
	protocol, host, _ := strings.Cut(rest, ".")
	z.mu.RLock()
	defer z.mu.RUnlock()
	records, r := z.records(v, host)
	if r != found {
		return nil, r
	}
	var out []target
	for _, r := range records {
		for _, p := range r.ports {
			t := target{p, r.full}
			if "_"+p.Name == port && "_"+p.Protocol == protocol && !slices.Contains(out, t) { // of one on several networks
				out = append(out, t)
			}
		}
	}
	if len(out) == 0 {
		return nil, missing
	}
	return out, found
}

// +checklocksread:z.mu
func (z *Zone) gateways(v view) []netip.Addr {
	for _, n := range v.networks {
		var out []netip.Addr
		for _, g := range z.inside[n] {
			out = append(out, g.Addr())
		}
		if out != nil {
			return out
		}
	}
	return nil
}

// reverse finds the full name at an address.
func (z *Zone) reverse(v view, a netip.Addr) (string, result) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	for _, n := range v.networks {
		if slices.ContainsFunc(z.inside[n], func(g netip.Prefix) bool { return g.Addr() == a }) {
			return nodeName + "." + z.domain, found
		}
	}
	if h := z.clients[a]; h != nil {
		for _, on := range h.On {
			if slices.Contains(on.Addrs, a) && slices.Contains(v.networks, on.Network) {
				return h.Name + "." + h.Project + "." + z.domain, found
			}
		}
	}
	for _, gateways := range z.inside {
		if slices.ContainsFunc(gateways, func(g netip.Prefix) bool { return g.Contains(a) }) {
			return "", missing
		}
	}
	return "", foreign
}

func (z *Zone) addNetwork(name string, gateways ...netip.Prefix) {
	z.mu.Lock()
	defer z.mu.Unlock()
	defer z.version.Add(1)
	z.inside[name] = gateways
}

func (z *Zone) removeNetwork(name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	defer z.version.Add(1)
	delete(z.inside, name)
}
