package control

import (
	"net/netip"

	"github.com/virga-cloud/virga/api"
)

// Pools of subnets for networks that name none.
var pool4 = netip.MustParsePrefix("172.30.0.0/15")

const (
	bits4, bits6 = 20, 64
	minMTU       = 1280 // what IPv6 needs at least
	maxMTU       = 65535
)

// completeNetwork fills what a network's spec leaves open and checks the whole.
// taken are the subnets that others have.
func completeNetwork(s api.NetworkSpec, taken []netip.Prefix, pool6 netip.Prefix) (api.NetworkSpec, error) {
	if s.Policy == "" {
		s.Policy = api.RuleAllow
		if s.Internal {
			s.Policy = api.RuleDeny
		}
	}
	if s.MTU == 0 {
		s.MTU = 1500
	}
	if s.MTU < 68 || !s.IPv4Only && s.MTU < minMTU || s.MTU > maxMTU {
		return s, api.Invalid("spec.mtu", "an MTU of %d bytes is not possible", s.MTU).
			WithHint("from %d to %d, or from 68 without IPv6", minMTU, maxMTU)
	}
	var err error
	if s.Subnet.IsValid() {
		err = checkSubnet("spec.subnet", s.Subnet, taken)
		if err == nil && (!s.Subnet.Addr().Is4() || s.Subnet.Bits() < 8 || s.Subnet.Bits() > 30) {
			err = api.Invalid("spec.subnet", "subnet %s is not an IPv4 subnet from /8 to /30", s.Subnet).WithHint("such as 10.20.0.0/24")
		}
	} else {
		s.Subnet, err = freeSubnet(pool4, bits4, taken)
	}
	if err != nil {
		return s, err
	}
	if s.Gateway, err = gateway("spec.gateway", s.Gateway, s.Subnet); err != nil {
		return s, err
	}
	if s.IPv4Only {
		if s.Subnet6.IsValid() || s.Gateway6.IsValid() {
			return s, api.Invalid("spec.ipv4Only", "a network without IPv6 has no IPv6 subnet")
		}
		return s, nil
	}
	if s.Subnet6.IsValid() {
		err = checkSubnet("spec.subnet6", s.Subnet6, taken)
		if err == nil && (!s.Subnet6.Addr().Is6() || s.Subnet6.Addr().Is4In6() || s.Subnet6.Bits() < 64 || s.Subnet6.Bits() > 96) {
			err = api.Invalid("spec.subnet6", "subnet %s is not an IPv6 subnet from /64 to /96", s.Subnet6).WithHint("such as fd00:20::/64")
		}
	} else {
		s.Subnet6, err = freeSubnet(pool6, bits6, taken)
	}
	if err != nil {
		return s, err
	}
	s.Gateway6, err = gateway("spec.gateway6", s.Gateway6, s.Subnet6)
	return s, err
}

// checkSubnet refuses what is no subnet of its own on this node.
func checkSubnet(field string, p netip.Prefix, taken []netip.Prefix) error {
	if p != p.Masked() {
		return api.Invalid(field, "%s is an address within a subnet", p).WithHint("the subnet is %s", p.Masked())
	}
	a := p.Addr()
	if a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() {
		return api.Invalid(field, "subnet %s has a meaning of its own and cannot be used", p).WithHint("such as 10.20.0.0/24 or fd00:20::/64")
	}
	if t, ok := overlapping(p, taken); ok {
		return api.Errorf(api.CodeConflict, "subnet %s overlaps %s, which this node has a route to already", p, t).InField(field).
			WithHint("leave the subnet out to get a free one")
	}
	return nil
}

// gateway is the one asked for, or the subnet's first address.
func gateway(field string, a netip.Addr, subnet netip.Prefix) (netip.Addr, error) {
	if !a.IsValid() {
		return subnet.Addr().Next(), nil
	}
	if !subnet.Contains(a) || a == subnet.Addr() || a.Is4() && a == lastAddr(subnet) {
		return a, api.Invalid(field, "gateway %s is not an address of a host in %s", a, subnet).
			WithHint("such as %s", subnet.Addr().Next())
	}
	return a, nil
}

// satisfies reports whether a stored network is as asked.
func satisfies(have, want api.NetworkSpec) bool {
	fits := func(have, want any, open bool) bool { return open || have == want }
	return have.Internal == want.Internal && have.Isolated == want.Isolated && have.IPv4Only == want.IPv4Only &&
		fits(have.Subnet, want.Subnet, !want.Subnet.IsValid()) && fits(have.Gateway, want.Gateway, !want.Gateway.IsValid()) &&
		fits(have.Subnet6, want.Subnet6, !want.Subnet6.IsValid()) && fits(have.Gateway6, want.Gateway6, !want.Gateway6.IsValid()) &&
		fits(have.MTU, want.MTU, want.MTU == 0) && fits(have.Policy, want.Policy, want.Policy == "")
}
