package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// Adopt tells the network of an instance that runs already. What it has is
// read from its namespace, for its status may be older than its last start;
// addresses, ports and names are taken in hand again, and redirections that
// were lost are put back.
func (f *Fabric) Adopt(ctx context.Context, r Request, have []api.AddressOn, ports []api.Port) error {
	m := newMember(r)
	if base, ok := firstHostID(fmt.Sprintf("/proc/%d/uid_map", r.PID)); ok && base >= idBase {
		m.ids = base
		f.ids.share(base)
	}
	var err error
	if r.Share != nil && r.Share.Net {
		m.on = r.Share.Of.Instance
	} else if m.ports, err = f.portsOf(r, have); err != nil {
		return fmt.Errorf("adopt network of %s: %w", r.Instance, err)
	}
	var left []nft.Published
	f.mu.Lock()
	for _, p := range m.ports {
		p.segment.free.claim(p.addr)
		for _, a := range p.asked() {
			f.asked[a] = r.Instance
		}
		delete(f.left.links, p.link)
		delete(f.left.places, leftAt{p.segment, p.addr})
		for _, a := range p.addrs() {
			left = append(left, f.left.claimPorts(a)...)
		}
	}
	f.mu.Unlock()
	f.labels.set(r.Instance, m.ports)
	if err := f.guardPorts(m.ports); err != nil {
		return fmt.Errorf("adopt network of %s: %w", r.Instance, err)
	}
	if err := f.readoptRate(m); err != nil {
		f.config.Log.Warn("network rates are not as they should be", "instance", m.name, "err", err)
	}
	if m.published, err = f.readopt(m, ports, left); err != nil {
		return fmt.Errorf("adopt ports of %s: %w", r.Instance, err)
	}
	f.mu.Lock()
	f.members[r.Instance] = m
	f.mu.Unlock()
	f.dns.Put(host(r, m.ports))
	f.judged(m)
	if err := f.guide(ctx, m, m.ports); err != nil {
		// Its guest goes on with what it was told.
		f.config.Log.Error("guest is not told its addresses", "instance", m.name, "err", err)
	}
	return nil
}

// Adopted says that all instances that run already are adopted.
func (f *Fabric) Adopted() { f.adopted.Do(f.learned) }

// learned has names answered once it was called for the instances and for the
// services.
func (f *Fabric) learned() {
	if f.unknown.Add(-1) == 0 && f.config.Adopting {
		f.dns.Begin()
	}
}

// portsOf finds the links and addresses of an instance: by its process, else
// by the label of its links and what its status says. Those of a virtual
// machine are known by their label.
func (f *Fabric) portsOf(r Request, have []api.AddressOn) ([]port, error) {
	links, err := f.conn.List()
	if err != nil {
		return nil, err
	}
	if r.Kind == Tap {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.tapsOf(r, links), nil
	}
	if r.PID > 0 {
		ports, err := f.portsOfProcess(r.PID, links)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return ports, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []port
	for _, a := range have {
		s := f.segments[segmentKey(r.Project, a.Network)]
		if s == nil || !s.free.holds(a.Address) {
			continue
		}
		p := port{segment: s, addr: a.Address, addr6: a.Address6, index: len(out), mac: insideMAC(a.Address)}
		if mac, err := net.ParseMAC(a.MAC); err == nil {
			p.mac = mac
		}
		for _, l := range links {
			if l.Master == s.index && l.Alias == r.Instance {
				p.link, p.outer = l.Name, l.Index
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// portsOfProcess looks into the network namespace of a process.
func (f *Fabric) portsOfProcess(pid int, links []link.Link) ([]port, error) {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	inside, err := link.Open(ns)
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	theirs, err := inside.List()
	if err != nil {
		return nil, err
	}
	byIndex := map[int]link.Link{}
	for _, l := range links {
		byIndex[l.Index] = l
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []port
	for _, l := range theirs {
		outer, ok := byIndex[l.Peer]
		if !ok || outer.Kind != "veth" || outer.Peer != l.Index {
			continue
		}
		addrs, err := inside.Addresses(l.Index)
		if err != nil {
			return nil, err
		}
		for _, s := range f.segments {
			for _, a := range addrs {
				if s.index == outer.Master && s.free.holds(a.Addr()) {
					out = append(out, port{segment: s, addr: a.Addr(), addr6: s.found6(addrs), link: outer.Name, outer: outer.Index, index: interfaceIndex(l.Name), mac: l.MAC})
				}
			}
		}
	}
	return out, nil
}

// found6 is the network's IPv6 address among those of a link, or invalid.
func (s *segment) found6(addrs []netip.Prefix) netip.Addr {
	for _, a := range addrs {
		if s.subnet6.IsValid() && s.subnet6.Contains(a.Addr()) {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// readopt reserves the ports of a running instance again: those of its status
// and those that are redirected to it. A port that another program took while
// no daemon held it stays redirected to the instance.
func (f *Fabric) readopt(m *member, ports []api.Port, left []nft.Published) ([]*reservation, error) {
	there := map[nft.Published]bool{}
	var out []*reservation
	for _, p := range left {
		out = append(out, f.hold(m, p))
		there[p] = true
	}
	if len(ports) == 0 || len(m.ports) == 0 {
		return out, nil
	}
	to, err := reachable(m.ports)
	if err != nil {
		return out, nil
	}
	for _, p := range ports {
		rules, err := redirections(p, to, "status.ports")
		if err != nil {
			return out, err
		}
		for _, rule := range rules {
			if there[rule] || rule.HostPort == 0 {
				continue
			}
			if err := f.table.Publish(rule); err != nil {
				return out, err
			}
			out = append(out, f.hold(m, rule))
		}
	}
	return out, nil
}

// hold reserves a port that is redirected already.
func (f *Fabric) hold(m *member, rule nft.Published) *reservation {
	b := &reservation{rule: rule, port: portOf(rule), socket: -1}
	fd, _, err := bind(socketType(rule.Protocol), rule.Host, rule.HostPort)
	if err != nil {
		f.config.Log.Warn("published port is held by another program", "instance", m.name,
			"port", rule.HostPort, "holder", listener(b.port.Protocol, rule.HostPort))
		return b
	}
	b.socket = fd
	if err := b.carry(); err != nil {
		f.config.Log.Warn("published port is not reached by ::1", "instance", m.name, "port", rule.HostPort, "err", err)
	}
	return b
}

// portOf is the published port that a redirection makes.
func portOf(r nft.Published) api.Port {
	p := api.Port{HostPort: r.HostPort, Port: r.To.Port(), Protocol: "tcp"}
	if r.Protocol == syscall.IPPROTO_UDP {
		p.Protocol = "udp"
	}
	if r.Host.IsValid() && r.Host != netip.IPv4Unspecified() && r.Host != netip.IPv6Unspecified() {
		p.HostIP = r.Host.String()
	}
	return p
}
