package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// place is the ground for one instance: namespaces with links into networks.
type place struct {
	namespace.Pair
	ids   uint32 // first host id of the user namespace, 0 without one
	ports []port // in the order of the interfaces eth0, eth1, …
}

// port is one link of a place into a network.
type port struct {
	segment *segment
	addr    netip.Addr
	link    string // name of the node's end
}

// want is what a place is to have of one network.
type want struct {
	segment *segment
	addr    netip.Addr
	mac     []byte // nil: the one that goes with the address
}

// newPlace makes a place; the addresses in wants are taken already and stay
// the caller's when it fails.
func (f *Fabric) newPlace(userNS bool, wants []want) (*place, error) {
	p, err := f.newNamespaces(userNS)
	if err != nil {
		return nil, err
	}
	if err := f.furnish(p, wants); err != nil {
		return nil, errors.Join(err, f.discard(p))
	}
	return p, nil
}

func (f *Fabric) newNamespaces(userNS bool) (*place, error) {
	if !userNS {
		ns, err := namespace.NewNet()
		if err != nil {
			return nil, err
		}
		return &place{Pair: namespace.Pair{Net: ns}}, nil
	}
	ids, err := f.ids.take()
	if err != nil {
		return nil, err
	}
	pair, err := namespace.NewPair(ids)
	if err != nil {
		f.ids.free(ids)
		return nil, err
	}
	return &place{Pair: pair, ids: ids}, nil
}

// furnish makes the links of a new network namespace and sets them up.
func (f *Fabric) furnish(p *place, wants []want) error {
	var inside *link.Conn
	err := namespace.In(p.Net, func() error {
		var err error
		if inside, err = link.Open(nil); err != nil {
			return err
		}
		return baseSysctls()
	})
	if inside != nil {
		defer inside.Close()
	}
	if err != nil {
		return err
	}
	// Loopback is the first link of every namespace.
	reqs := []link.Request{link.Up(1)}
	for i, w := range wants {
		more, err := f.plug(p, inside, i, w)
		if err != nil {
			return err
		}
		reqs = append(reqs, more...)
	}
	return inside.Do(reqs...)
}

// plug makes one link and returns what is left to do inside.
func (f *Fabric) plug(p *place, inside *link.Conn, i int, w want) ([]link.Request, error) {
	mac := w.mac
	if mac == nil {
		mac = insideMAC(w.addr)
	}
	v := link.Veth{
		Name: f.linkName(), Master: w.segment.index, MTU: w.segment.mtu, MAC: outsideMAC(w.addr),
		Peer: interfaceName(i), PeerMAC: mac, PeerNS: p.Net,
	}
	if err := f.conn.Do(link.AddVeth(v), link.SetPort(v.Name, true, w.segment.spec.Isolated)); err != nil {
		return nil, err
	}
	p.ports = append(p.ports, port{segment: w.segment, addr: w.addr, link: v.Name})
	outer, err := f.conn.ByName(v.Name)
	if err != nil {
		return nil, err
	}
	if err := f.conn.Do(link.Forward(outer.Index, mac)); err != nil {
		return nil, err
	}
	l, err := inside.ByName(v.Peer)
	if err != nil {
		return nil, err
	}
	reqs := []link.Request{link.Up(l.Index), link.AddAddress(l.Index, netip.PrefixFrom(w.addr, w.segment.subnet.Bits()))}
	if !w.segment.spec.Internal {
		reqs = append(reqs, link.AddDefaultRoute(l.Index, w.segment.gateway, i))
	}
	return reqs, nil
}

// readdress gives the only interface of a place another address.
func (f *Fabric) readdress(p *place, addr netip.Addr) error {
	inside, err := link.Open(p.Net)
	if err != nil {
		return err
	}
	defer inside.Close()
	l, err := inside.ByName(interfaceName(0))
	if err != nil {
		return err
	}
	s, bits := p.ports[0].segment, p.ports[0].segment.subnet.Bits()
	reqs := []link.Request{
		link.DeleteAddress(l.Index, netip.PrefixFrom(p.ports[0].addr, bits)),
		link.AddAddress(l.Index, netip.PrefixFrom(addr, bits)),
		// Last, so that the new owner is announced.
		link.SetMAC(l.Index, insideMAC(addr)),
	}
	if !s.spec.Internal {
		reqs = append(reqs, link.AddDefaultRoute(l.Index, s.gateway, 0))
	}
	if err := inside.Do(reqs...); err != nil {
		return fmt.Errorf("change address to %s: %w", addr, err)
	}
	p.ports[0].addr = addr
	return f.conn.Do(link.SetMAC(l.Peer, outsideMAC(addr)), link.Forward(l.Peer, insideMAC(addr)))
}

// discard lets a place go that nothing runs in: its links vanish with the
// namespace. Addresses are the caller's.
func (f *Fabric) discard(p *place) error {
	f.ids.free(p.ids)
	return p.Close()
}

// baseSysctls are what every instance's network begins with: ports below 1024
// and ping need no privilege, changes of addresses are announced, and no IPv6 where the network has none.
func baseSysctls() error {
	for _, s := range [][2]string{
		{"net.ipv4.ip_unprivileged_port_start", "0"},
		{"net.ipv4.ping_group_range", "0 2147483647"},
		{"net.ipv4.conf.default.arp_notify", "1"},
		{"net.ipv6.conf.default.disable_ipv6", "1"},
	} {
		// A kernel without IPv6 has no such setting.
		if err := setSysctl(s[0], s[1]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func interfaceName(i int) string { return "eth" + strconv.Itoa(i) }
