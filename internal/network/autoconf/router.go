package autoconf

import (
	"net/netip"
	"time"

	"github.com/mdlayher/ndp"
)

// advertisement is what the network's router tells a guest. Addresses come by
// DHCP (the M flag): an instance's is planned and ends in its IPv4 address,
// which no guest would make of its hardware address by itself. The prefix is
// announced as being on the link, and not to make addresses of.
func advertisement(n Network, g Guest) *ndp.RouterAdvertisement {
	ra := &ndp.RouterAdvertisement{
		CurrentHopLimit:      64,
		ManagedConfiguration: true,
		OtherConfiguration:   true,
		Options: []ndp.Option{
			&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: n.MAC},
			ndp.NewMTU(uint32(n.MTU)),
			&ndp.PrefixInformation{
				PrefixLength: uint8(n.Subnet6.Bits()), Prefix: n.Subnet6.Masked().Addr(), OnLink: true,
				ValidLifetime: ndp.Infinity, PreferredLifetime: ndp.Infinity,
			},
		},
	}
	if g.Router {
		ra.RouterLifetime = routerTime
	}
	if servers := g.nameServers(true); len(servers) > 0 {
		ra.Options = append(ra.Options, &ndp.RecursiveDNSServer{Lifetime: routerTime, Servers: servers})
	}
	if len(g.Search) > 0 {
		ra.Options = append(ra.Options, &ndp.DNSSearchList{Lifetime: routerTime, DomainNames: g.Search})
	}
	return ra
}

// advertiseEvery is how often guests are told without asking, so that changes
// arrive.
const advertiseEvery = 10 * time.Minute

// solicited says whether b is a router solicitation that came from the link
// (RFC 4861, 6.1.1).
func solicited(b []byte, from netip.Addr, hops int) bool {
	m, err := ndp.ParseMessage(b)
	if err != nil {
		return false
	}
	_, ok := m.(*ndp.RouterSolicitation)
	return ok && hops == 255 && b[1] == 0 && from.IsLinkLocalUnicast()
}
