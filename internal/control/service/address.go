package service

import (
	"encoding/binary"
	"net/netip"

	"github.com/virga-cloud/virga/api"
)

// Address chooses the address of a service: the one it wants, else the highest
// of the subnet that is free, because instances get theirs from the lowest up.
func Address(n *api.Network, want netip.Addr, taken map[netip.Addr]string) (netip.Addr, error) {
	subnet := n.Spec.Subnet.Masked()
	if !subnet.Addr().Is4() {
		return netip.Addr{}, api.Errorf(api.CodeNotSupported, "network %s has no IPv4 subnet", n.Name).InField("spec.network")
	}
	first := number(subnet.Addr())
	last := first | uint32(1<<(32-subnet.Bits())-1)
	usable := func(a netip.Addr) bool {
		return subnet.Contains(a) && a != n.Spec.Gateway && number(a) != first && number(a) != last
	}
	if want.IsValid() {
		if !want.Is4() || !usable(want) {
			return want, api.Invalid("spec.address", "%s is not an address of network %s (%s)", want, n.Name, subnet)
		}
		if by, ok := taken[want]; ok {
			return want, api.Errorf(api.CodeConflict, "address %s is that of %s", want, by).InField("spec.address").
				WithHint("leave the address out to get a free one")
		}
		return want, nil
	}
	for i := last - 1; i > first; i-- {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], i)
		a := netip.AddrFrom4(b)
		if _, ok := taken[a]; !ok && usable(a) {
			return a, nil
		}
	}
	return netip.Addr{}, api.Errorf(api.CodeInsufficientCapacity, "network %s has no free address for a service", n.Name).
		WithHint("use a network with a larger subnet")
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// Taken are the addresses that services and instances have or ask for, with
// who has them.
func Taken(services []*api.Service, instances []*api.Instance) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for _, in := range instances {
		for _, a := range in.Status.Addresses {
			out[a.Address] = "instance " + in.Name
		}
		for _, a := range in.Spec.Networks {
			if ip, err := netip.ParseAddr(a.Address); err == nil {
				out[ip] = "instance " + in.Name
			}
		}
	}
	for _, s := range services {
		out[s.Address] = "service " + s.Name
	}
	return out
}
