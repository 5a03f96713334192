package network

import (
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// metric6 is the kernel's own metric of IPv6 routes.
const metric6 = 1024

// address are the requests that give the i-th interface inside its addresses
// and the way out. The first interface that has one is preferred.
func (q port) address(index, i int) []link.Request {
	s := q.segment
	reqs := []link.Request{link.AddAddress(index, netip.PrefixFrom(q.addr, s.subnet.Bits()))}
	if !s.spec.Internal {
		reqs = append(reqs, link.AddDefaultRoute(index, s.gateway, i))
	} else {
		reqs = append(reqs, link.AddRoute(index, netip.PrefixFrom(MetadataAddr, 32), s.gateway, i))
	}
	if q.addr6.IsValid() {
		reqs = append(reqs, link.AddAddress(index, netip.PrefixFrom(q.addr6, s.subnet6.Bits())))
		if !s.spec.Internal {
			reqs = append(reqs, link.AddDefaultRoute(index, s.gateway6, metric6+i))
		}
	}
	return reqs
}

// unaddress takes the addresses away; routes by them go with them.
func (q port) unaddress(index int) []link.Request {
	reqs := []link.Request{link.DeleteAddress(index, netip.PrefixFrom(q.addr, q.segment.subnet.Bits()))}
	if q.addr6.IsValid() {
		reqs = append(reqs, link.DeleteAddress(index, netip.PrefixFrom(q.addr6, q.segment.subnet6.Bits())))
	}
	return reqs
}

// addrs are the addresses there are.
func (q port) addrs() []netip.Addr {
	if !q.addr6.IsValid() {
		return []netip.Addr{q.addr}
	}
	return []netip.Addr{q.addr, q.addr6}
}

// addressesOn is what an instance's status says of its ports.
func addressesOn(ports []port) []api.AddressOn {
	var out []api.AddressOn
	for _, q := range ports {
		a := api.AddressOn{Network: q.segment.name, Address: q.addr, Prefix: q.segment.subnet.Bits(), MAC: q.mac.String()}
		if q.addr6.IsValid() {
			a.Address6, a.Prefix6 = q.addr6, q.segment.subnet6.Bits()
		}
		if !q.segment.spec.Internal {
			a.Gateway, a.Gateway6 = q.segment.gateway, q.segment.gateway6
		}
		out = append(out, a)
	}
	return out
}
