package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// place is the ground for one instance: namespaces with links into networks.
type place struct {
	namespace.Pair
	ids   uint32       // first host id of the user namespace, 0 without one
	ports []port       // in the order of the interfaces eth0, eth1, …
	taps  []engine.Tap // of the ports, when they are of kind Tap
}

// close closes what is open. Links vanish with it when nobody else has it open.
func (p *place) close() error { return errors.Join(p.Pair.Close(), closeTaps(p.taps)) }

// port is one link of a place into a network.
type port struct {
	segment *segment
	addr    netip.Addr
	addr6   netip.Addr // invalid where there is no IPv6
	link    string     // name of the node's end
	outer   int        // index of the node's end, 0 when it is not known
	index   int        // of the interface inside: 0 for eth0
	mac     net.HardwareAddr
}

// want is what a place is to have of one network.
type want struct {
	segment *segment
	addr    netip.Addr
	addr6   netip.Addr       // invalid: the one that goes with addr
	mac     net.HardwareAddr // nil: the one that goes with addr
}

// newPlace makes a place; the addresses in wants are taken already and stay
// the caller's when it fails.
func (f *Fabric) newPlace(userNS bool, share *Share, wants []want) (*place, error) {
	p, err := f.newNamespaces(userNS, share)
	if err != nil {
		return nil, err
	}
	if err := f.furnish(p, wants); err != nil {
		return nil, errors.Join(err, f.discard(p))
	}
	return p, nil
}

func (f *Fabric) newNamespaces(userNS bool, share *Share) (*place, error) {
	switch {
	case !userNS:
		ns, err := namespace.NewNet()
		if err != nil {
			return nil, err
		}
		return &place{Pair: namespace.Pair{Net: ns}}, nil
	case share != nil:
		return f.beside(share)
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
		return baseSysctls(anyIPv6(wants))
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
	q, err := f.plugged(p, i, w, v.Name, mac)
	if err != nil {
		return nil, err
	}
	l, err := inside.ByName(v.Peer)
	if err != nil {
		return nil, err
	}
	return append([]link.Request{link.Up(l.Index)}, q.address(l.Index, i)...), nil
}

// plugged adds the port of a link that is on its bridge: from here on it may
// send as itself only, and gets what is for it.
func (f *Fabric) plugged(p *place, i int, w want, name string, mac net.HardwareAddr) (port, error) {
	q := port{segment: w.segment, addr: w.addr, addr6: w.addr6, link: name, index: i, mac: mac}
	if !q.addr6.IsValid() {
		q.addr6 = w.segment.addr6(w.addr)
	}
	p.ports = append(p.ports, q)
	outer, err := f.conn.ByName(name)
	if err != nil {
		return q, err
	}
	q.outer = outer.Index
	p.ports[len(p.ports)-1] = q
	if err := f.guard.Put(q.guarded()); err != nil {
		return q, err
	}
	return q, f.conn.Do(link.Forward(outer.Index, mac))
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
	old, now := p.ports[0], p.ports[0]
	now.addr, now.addr6, now.mac = addr, now.segment.addr6(addr), insideMAC(addr)
	reqs := append(old.unaddress(l.Index), now.address(l.Index, 0)...)
	// Last, so that the new owner is announced.
	reqs = append(reqs, link.SetMAC(l.Index, insideMAC(addr)))
	if err := inside.Do(reqs...); err != nil {
		return fmt.Errorf("change address to %s: %w", addr, err)
	}
	if err := f.guard.Put(now.guarded()); err != nil {
		return err
	}
	p.ports[0] = now
	return f.conn.Do(link.SetMAC(l.Peer, outsideMAC(addr)), link.Forward(l.Peer, insideMAC(addr)))
}

// discard lets a place go that nothing runs in: its links vanish with the
// namespace. Addresses are the caller's.
func (f *Fabric) discard(p *place) error {
	f.ids.free(p.ids)
	f.unguard(p.ports)
	return p.close()
}

func interfaceName(i int) string { return "eth" + strconv.Itoa(i) }

// interfaceIndex undoes interfaceName.
func interfaceIndex(name string) int {
	i, _ := strconv.Atoi(strings.TrimPrefix(name, "eth"))
	return i
}
