package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// Adopt tells the network of an instance that runs already: its addresses and
// ports are reserved again and its redirections put back. The links are found
// by their aliases.
func (f *Fabric) Adopt(ctx context.Context, r Request, have []api.AddressOn, ports []api.Port) error {
	links, err := f.conn.List()
	if err != nil {
		return err
	}
	m := &member{instance: r.Instance, name: r.Name, project: r.Project}
	f.mu.Lock()
	for _, a := range have {
		s := f.segments[segmentKey(r.Project, a.Network)]
		if s == nil || !s.free.holds(a.Address) {
			continue
		}
		s.free.claim(a.Address)
		q := port{segment: s, addr: a.Address}
		for _, l := range links {
			if l.Alias == r.Instance && l.Master == s.index {
				q.link = l.Name
			}
		}
		m.ports = append(m.ports, q)
	}
	f.mu.Unlock()
	if m.published, err = f.readopt(m, ports); err != nil {
		return err
	}
	f.mu.Lock()
	f.members[r.Instance] = m
	f.dns.Put(host(r, m.ports))
	f.mu.Unlock()
	return nil
}

// readopt reserves the ports of a running instance. A port that another
// program took while no daemon held it stays redirected to the instance.
func (f *Fabric) readopt(m *member, ports []api.Port) ([]*reservation, error) {
	if len(ports) == 0 {
		return nil, nil
	}
	to, err := reachable(m.ports)
	if err != nil {
		return nil, err
	}
	var out []*reservation
	var rules []nft.Published
	for _, p := range ports {
		b, err := f.reserve(p, to, "spec.ports")
		if api.CodeOf(err) == api.CodeConflict {
			f.config.Log.Warn("published port is held by another program", "instance", m.name, "port", p.HostPort, "err", err)
			b, err = held(p, to), nil
		}
		if err != nil {
			return nil, errors.Join(err, f.unpublish(out))
		}
		out, rules = append(out, b), append(rules, b.rule)
	}
	// The elements are there unless someone flushed them.
	if err := f.table.Unpublish(rules...); err != nil {
		return nil, fmt.Errorf("adopt ports of %s: %w", m.name, err)
	}
	return out, f.table.Publish(rules...)
}

// held is a reservation without a socket.
func held(p api.Port, to netip.Addr) *reservation {
	proto := uint8(6)
	if p.Protocol == "udp" {
		proto = 17
	}
	host := netip.IPv4Unspecified()
	if ip, err := netip.ParseAddr(p.HostIP); err == nil {
		host = ip.Unmap()
	}
	return &reservation{port: p, socket: -1,
		rule: nft.Published{Protocol: proto, Host: host, HostPort: p.HostPort, To: netip.AddrPortFrom(to, p.Port)}}
}
