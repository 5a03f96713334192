package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

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
	Addr6                  netip.Addr // what Address6 says of Addr
	Names                  []dns.Port
	Balanced               []nft.Balanced
}

// addrs are the addresses there are.
func (w Front) addrs() []netip.Addr {
	if !w.Addr6.IsValid() {
		return []netip.Addr{w.Addr}
	}
	return []netip.Addr{w.Addr, w.Addr6}
}

// fronts are the services on the node's networks.
type fronts struct {
	balance *nft.Balance

	// setting keeps one change at a time; it is taken before Fabric.mu.
	setting sync.Mutex
	swept   bool                      // +checklocks:setting; what an earlier daemon left is gone
	held    map[string]heldFront      // +checklocks:setting; by service
	sockets map[hostPort]*reservation // +checklocks:setting; of balanced ports of the node
}

// heldFront is a service that has its address.
type heldFront struct {
	segment *segment
	front   Front
}

// Address6 is the IPv6 address that goes with an IPv4 one of a network; invalid
// where the network has no IPv6, or is not there yet.
func (f *Fabric) Address6(project, network string, a netip.Addr) netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	seg := f.segments[segmentKey(project, network)]
	if seg == nil || !a.Is4() {
		return netip.Addr{}
	}
	return seg.addr6(a)
}

// SetFronts makes the services of the node those given. It is declarative and
// safe to repeat; established connections go on, whatever changes. What keeps
// a service from being as asked is returned by its id; the others are set all
// the same.
func (f *Fabric) SetFronts(want []Front) (map[string]error, error) {
	defer f.fronted.Do(f.learned)
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
			f.free(h.segment, h.front.Addr)
			err = errors.Join(err, f.vacateFront(h.segment, h.front.addrs()...))
		} else if a := h.front.Addr6; a.IsValid() && n.front.Addr6 != a {
			err = errors.Join(err, f.vacateFront(h.segment, a))
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

// placeFront gives a service its addresses on the bridge of its network.
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
	var reqs []link.Request
	for _, a := range w.addrs() {
		reqs = append(reqs, link.AddServiceAddress(seg.index, a))
	}
	return seg, f.conn.Do(reqs...)
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
				have = append(have, n.front.addrs()...)
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

// vacateFront takes addresses of a service from the bridge.
func (f *Fabric) vacateFront(s *segment, addrs ...netip.Addr) error {
	f.mu.Lock()
	there := slices.Contains(f.all(), s)
	f.mu.Unlock()
	if !there {
		return nil // they went with the bridge
	}
	var reqs []link.Request
	for _, a := range addrs {
		reqs = append(reqs, link.DeleteAddress(s.index, netip.PrefixFrom(a, a.BitLen())))
	}
	return f.conn.Do(reqs...)
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
				wanted = wanted || n.segment == s && slices.Contains(n.front.addrs(), p.Addr())
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
func isFront(p netip.Prefix) bool { return p.IsSingleIP() && !p.Addr().IsLinkLocalUnicast() }

// Connections counts the open TCP connections that services lead to the given
// addresses and ports.
func (f *Fabric) Connections(to []netip.AddrPort) (int, error) { return nft.Connections(to) }

// ForgetEnded forgets the TCP connections that services led to the given
// addresses and ports and that have ended.
func (f *Fabric) ForgetEnded(to []netip.AddrPort) error { return nft.ForgetEnded(to) }

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
			out.On = append(out.On, dns.Interface{Network: s.key, Addrs: w.addrs(), Names: []string{w.Name}})
		}
	}
	return out
}

// closeFronts lets go; what the kernel balances goes on.
func (f *Fabric) closeFronts() error {
	f.fronts.setting.Lock()
	defer f.fronts.setting.Unlock()
	for p, r := range f.fronts.sockets {
		r.release()
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
	return &fronts{balance: b, held: map[string]heldFront{}, sockets: map[hostPort]*reservation{}}, nil
}
