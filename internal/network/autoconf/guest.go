package autoconf

import (
	"net"
	"net/netip"
	"time"
)

// Network is what all guests of a network are told.
type Network struct {
	Key    string // names it among the networks of a Server
	Bridge string // the link's name
	Index  int    // the link's index
	MAC    net.HardwareAddr
	MTU    int // bytes
	// Subnet and Gateway are the IPv4 side; the gateway is the node.
	Subnet  netip.Prefix
	Gateway netip.Addr
	// Subnet6 is the IPv6 side; invalid where there is none.
	Subnet6 netip.Prefix
	// Metadata is an address that leads to the gateway too; invalid is none.
	Metadata netip.Addr
}

// Guest is one interface of a guest, and what it is to become.
type Guest struct {
	ID          string           // of the instance, for the log
	MAC         net.HardwareAddr // by which it asks
	Addr        netip.Addr
	Addr6       netip.Addr // invalid: it gets no IPv6 address
	Hostname    string
	Search      []string     // domains; the first is its own
	NameServers []netip.Addr // of both families
	// Router says that the network is the guest's way out.
	Router bool
}

// linkLocal is the address by which a guest asks in IPv6: the one that goes
// with its hardware address (RFC 4291, appendix A). The guard lets no other pass.
func (g Guest) linkLocal() netip.Addr { return linkLocal(g.MAC) }

func linkLocal(mac net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

// nameServers are those of one family.
func (g Guest) nameServers(v6 bool) []netip.Addr {
	var out []netip.Addr
	for _, a := range g.NameServers {
		if a.Is6() == v6 {
			out = append(out, a)
		}
	}
	return out
}

// How long a guest may use what it was told. The plan does not expire: these
// are long, so that guests outlive a daemon that is away, and short enough that
// a change of name servers arrives.
const (
	leaseTime  = 24 * time.Hour
	renewTime  = leaseTime / 2
	rebindTime = leaseTime * 7 / 8
	// routerTime is the longest that a router may promise (RFC 8319).
	routerTime = 65535 * time.Second
)

func ips(addrs []netip.Addr) []net.IP {
	var out []net.IP
	for _, a := range addrs {
		out = append(out, a.AsSlice())
	}
	return out
}

// same says whether ip is a.
func same(ip net.IP, a netip.Addr) bool {
	b, ok := netip.AddrFromSlice(ip)
	return ok && b.Unmap() == a
}
