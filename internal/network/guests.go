package network

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/network/autoconf"
)

// An instance's interface in a namespace is set up from outside. A guest sets
// its own up by what DHCP and router advertisements say: the same plan.

// guide tells the guests of the networks that an instance is on, or was, what
// they are to be now. It does nothing for an instance that is no virtual machine.
func (f *Fabric) guide(ctx context.Context, m *member, ports []port) error {
	if m.kind != Tap {
		return nil
	}
	f.guiding.Lock()
	defer f.guiding.Unlock()
	var errs []error
	for _, p := range ports {
		s := p.segment
		if err := f.autoconf.Set(ctx, s.announced(), f.guests(s)); err != nil {
			errs = append(errs, guideError(s, err))
		}
	}
	return errors.Join(errs...)
}

// guideError says who has the port.
func guideError(s *segment, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return api.Errorf(api.CodeConflict, "guests on network %s cannot be told their addresses: %v; UDP port 67 of the node is taken by %s",
			s.name, err, listener("udp", 67)).
			WithHint("have the other DHCP server listen on its own links only")
	}
	return err
}

// announced is what all guests of a network are told.
func (s *segment) announced() autoconf.Network {
	return autoconf.Network{
		Key: s.key, Bridge: s.bridge, Index: s.index, MAC: outsideMAC(s.gateway), MTU: s.mtu,
		Subnet: s.subnet, Gateway: s.gateway, Subnet6: s.subnet6, Metadata: MetadataAddr,
	}
}

// guests are the interfaces of virtual machines on a network.
func (f *Fabric) guests(s *segment) []autoconf.Guest {
	servers := f.nameServers(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []autoconf.Guest
	for _, m := range f.members {
		if m.kind != Tap {
			continue
		}
		search := m.search
		if len(search) == 0 {
			search = []string{f.projectDomain(m.project)}
		}
		wayOut := true // the first that has one is it
		for _, p := range m.ports {
			if p.segment == s {
				out = append(out, autoconf.Guest{
					ID: m.instance, MAC: p.mac, Addr: p.addr, Addr6: p.addr6, Hostname: m.hostname,
					Search: search, NameServers: servers, Router: wayOut && !s.spec.Internal,
				})
			}
			wayOut = wayOut && p.segment.spec.Internal
		}
	}
	return out
}

// nameServers are those of a network: its gateways, or the node's own where
// virga cannot listen for queries.
func (f *Fabric) nameServers(s *segment) []netip.Addr {
	if s.resolves.Load() {
		return f.dns.At(s.key)
	}
	var out []netip.Addr
	for line := range strings.Lines(string(f.nodeResolv())) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil && !a.IsLoopback() && a.Zone() == "" {
			out = append(out, a)
		}
	}
	return out
}
