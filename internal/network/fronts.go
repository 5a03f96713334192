package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/dns"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// Front is a service's place on the network: its address, its names, and what
// the kernel balances for it.
type Front struct {
	Service                string // id
	Name, Project, Network string
	Addr                   netip.Addr // IPv4, of the network
	Names                  []dns.Port
	Balanced               []nft.Balanced
}

// fronts are the services on the node's networks.
type fronts struct {
	balance *nft.Balance

	// setting keeps one change at a time; it is taken before Fabric.mu.
	setting sync.Mutex
	swept   bool                 // +checklocks:setting; what an earlier daemon left is gone
	held    map[string]heldFront // +checklocks:setting; by service
	sockets map[hostPort]int     // +checklocks:setting; of balanced ports of the node
}

// heldFront is a service that has its address.
type heldFront struct {
	segment *segment
	front   Front
}

type hostPort struct {
	protocol uint8
	port     uint16
}

// SetFronts makes the services of the node those given. It is declarative and
// safe to repeat; established connections go on, whatever changes. What keeps
// a service from being as asked is returned by its id; the others are set all
// the same.
func (f *Fabric) SetFronts(want []Front) (map[string]error, error) {
	s := f.fronts
	s.setting.Lock()
	defer s.setting.Unlock()
	if len(want) == 0 && len(s.held) == 0 && s.swept {
		return nil, nil
	}
	problems := map[string]error{}
	next := map[string]heldFront{}
	for _, w := range want {
		seg, err := f.placeFront(w)
		if err != nil {
			problems[w.Service] = err
			continue
		}
		next[w.Service] = heldFront{seg, w}
	}
	ports, addrs := f.balanced(next, problems)
	if err := s.balance.Set(ports, addrs); err != nil {
		return problems, err
	}
	err := errors.Join(f.sweep(next), f.admitFronts(next))
	for id, h := range s.held {
		n, stays := next[id]
		if !stays || n.segment != h.segment || n.front.Addr != h.front.Addr {
			err = errors.Join(err, f.vacateFront(h))
		}
		if !stays {
			f.dns.Remove(id)
		}
	}
	for _, n := range next {
		f.dns.Put(f.frontHost(n))
	}
	s.held = next
	return problems, err
}

// placeFront gives a service its address on the bridge of its network.
func (f *Fabric) placeFront(w Front) (*segment, error) {
	f.mu.Lock()
	seg := f.segments[segmentKey(w.Project, w.Network)]
	f.mu.Unlock()
	if seg == nil {
		return nil, api.Errorf(api.CodeNotFound, "network %q does not exist", w.Network)
	}
	h, ok := f.fronts.held[w.Service]
	if !ok || h.segment != seg || h.front.Addr != w.Addr {
		if !f.claim(seg, w.Addr) {
			return nil, api.Errorf(api.CodeConflict, "address %s of network %s is taken or none of its own", w.Addr, w.Network)
		}
	}
	// Asked for each time: whoever made the bridge anew has forgotten it.
	return seg, f.conn.Do(link.AddAddress(seg.index, netip.PrefixFrom(w.Addr, 32)))
}

// admitFronts lets the instances of internal networks reach the services that
// are theirs, and nobody else.
func (f *Fabric) admitFronts(next map[string]heldFront) error {
	f.setting.Lock()
	defer f.setting.Unlock()
	f.mu.Lock()
	changed := false
	for _, s := range f.segments {
		var have []netip.Addr
		for _, n := range next {
			if n.segment == s && s.spec.Internal {
				have = append(have, n.front.Addr)
			}
		}
		slices.SortFunc(have, netip.Addr.Compare)
		changed = changed || !slices.Equal(have, s.fronts)
		s.fronts = have
	}
	f.mu.Unlock()
	if !changed {
		return nil
	}
	return f.table.Set(f.rules())
}

// vacateFront takes a service's address back.
func (f *Fabric) vacateFront(h heldFront) error {
	f.free(h.segment, h.front.Addr)
	f.mu.Lock()
	there := slices.Contains(f.all(), h.segment)
	f.mu.Unlock()
	if !there {
		return nil // it went with the bridge
	}
	return f.conn.Do(link.DeleteAddress(h.segment.index, netip.PrefixFrom(h.front.Addr, 32)))
}

// all are the segments.
//
// +checklocks:f.mu
func (f *Fabric) all() []*segment {
	var out []*segment
	for _, s := range f.segments {
		out = append(out, s)
	}
	return out
}

// sweep takes away, once, the addresses that an earlier daemon's services had
// and that are wanted no longer.
//
// +checklocks:f.fronts.setting
func (f *Fabric) sweep(next map[string]heldFront) error {
	if f.fronts.swept {
		return nil
	}
	f.mu.Lock()
	segments := f.all()
	f.mu.Unlock()
	for _, s := range segments {
		have, err := f.conn.Addresses(s.index)
		if err != nil {
			return err
		}
		for _, p := range have {
			wanted := false
			for _, n := range next {
				wanted = wanted || n.segment == s && n.front.Addr == p.Addr()
			}
			if !isFront(p) || wanted {
				continue
			}
			if err := f.conn.Do(link.DeleteAddress(s.index, p)); err != nil {
				return err
			}
		}
	}
	f.fronts.swept = true
	return nil
}

// isFront tells a service's address on a bridge from the gateway's.
func isFront(p netip.Prefix) bool { return p.Addr().Is4() && p.Bits() == 32 }

// balanced are the ports and addresses that the kernel is to know. The node's
// ports among them are held, so that nobody else takes them.
//
// +checklocks:f.fronts.setting
func (f *Fabric) balanced(next map[string]heldFront, problems map[string]error) (ports []nft.Balanced, addrs []netip.Addr) {
	used := map[hostPort]bool{}
	for id, h := range next {
		addrs = append(addrs, h.front.Addr)
		for _, b := range h.front.Balanced {
			if b.At.Addr().IsUnspecified() {
				p := hostPort{b.Protocol, b.At.Port()}
				if err := f.holdFront(p); err != nil {
					problems[id] = err
					continue
				}
				used[p] = true
			}
			ports = append(ports, b)
		}
	}
	for p, fd := range f.fronts.sockets {
		if !used[p] {
			syscall.Close(fd)
			delete(f.fronts.sockets, p)
		}
	}
	return ports, addrs
}

// holdFront binds a port of the node that the kernel balances.
//
// +checklocks:f.fronts.setting
func (f *Fabric) holdFront(p hostPort) error {
	if _, ok := f.fronts.sockets[p]; ok {
		return nil
	}
	fd, _, err := bind(socketType(p.protocol), netip.IPv4Unspecified(), p.port)
	if err != nil {
		return f.portTaken(p, err)
	}
	f.fronts.sockets[p] = fd
	return nil
}

// portTaken says who has a port of the node.
func (f *Fabric) portTaken(p hostPort, err error) error {
	rule := nft.Published{Protocol: p.protocol, Host: netip.IPv4Unspecified(), HostPort: p.port}
	return f.bindError(portOf(rule), rule, "spec.ports", err)
}

// Connections counts the open TCP connections that services lead to the given
// addresses and ports.
func (f *Fabric) Connections(to []netip.AddrPort) (int, error) { return nft.Connections(to) }

// TryPort finds out whether a port of the node is free for a service.
func (f *Fabric) TryPort(protocol string, port uint16) error {
	p := hostPort{syscall.IPPROTO_TCP, port}
	if protocol == "udp" {
		p.protocol = syscall.IPPROTO_UDP
	}
	fd, _, err := bind(socketType(p.protocol), netip.IPv4Unspecified(), port)
	if err != nil {
		return f.portTaken(p, err)
	}
	return syscall.Close(fd)
}

// frontHost is what the name server is to know of a service: it is found on its
// own network and, as it is reached from there too, on the others that have a
// way out, unless its own has none.
func (f *Fabric) frontHost(h heldFront) dns.Host {
	w := h.front
	out := dns.Host{ID: w.Service, Service: true, Name: w.Name, Project: project(w.Project), Ports: w.Names}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.segments {
		if s == h.segment || !s.spec.Internal && !h.segment.spec.Internal {
			out.On = append(out.On, dns.Interface{Network: s.key, Addrs: []netip.Addr{w.Addr}, Names: []string{w.Name}})
		}
	}
	return out
}

// closeFronts lets go; what the kernel balances goes on.
func (f *Fabric) closeFronts() error {
	f.fronts.setting.Lock()
	defer f.fronts.setting.Unlock()
	for p, fd := range f.fronts.sockets {
		syscall.Close(fd)
		delete(f.fronts.sockets, p)
	}
	return f.fronts.balance.Close()
}

// newFronts takes the services' part of the kernel in hand.
func newFronts(c Config) (*fronts, error) {
	b, err := nft.OpenBalance(c.Table+"-services", c.Prefix)
	if err != nil {
		return nil, fmt.Errorf("services: %w", err)
	}
	return &fronts{balance: b, held: map[string]heldFront{}, sockets: map[hostPort]int{}}, nil
}
