package nft

import "net/netip"

// Network is one bridge.
type Network struct {
	Bridge   string
	Subnets  []netip.Prefix // IPv4 and IPv6
	Internal bool           // no way out or in; only the node's DNS
	Isolated bool           // no way between its own instances
	// Fronts are addresses of the node that serve an internal network and
	// nobody else.
	Fronts []netip.Addr
	// Metadata is where 169.254.169.254 leads the network's instances, an
	// address of the node; invalid is nowhere.
	Metadata netip.AddrPort
}

// Published sends a port of the node to an instance.
type Published struct {
	Protocol uint8      // IPPROTO_TCP or IPPROTO_UDP
	Host     netip.Addr // unspecified (0.0.0.0 or ::) is every address of its family
	HostPort uint16
	To       netip.AddrPort // of the family of Host
}
