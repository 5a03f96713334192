package autoconf

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

// Sizes of DHCP messages in bytes.
const (
	bootpSize   = 236 + 4 // without options
	headerSize4 = 20 + 8  // IP and UDP
	smallest4   = 576     // packet that every client takes
)

// hardware4 is the hardware address of who sent a DHCPv4 message, read before
// the message is parsed; false when it is none of a client's.
func hardware4(b []byte) (net.HardwareAddr, bool) {
	const request, ethernet = 1, 1
	if len(b) < bootpSize || b[0] != request || b[1] != ethernet || b[2] != 6 {
		return nil, false
	}
	return net.HardwareAddr(b[28:34]), true
}

// answer4 answers a client's message; nil is no answer. note is worth a line in
// the log, or "".
func answer4(n Network, g Guest, m *dhcpv4.DHCPv4) (reply *dhcpv4.DHCPv4, note string) {
	switch {
	case !bytes.Equal(m.ClientHWAddr, g.MAC) || m.OpCode != dhcpv4.OpcodeBootRequest || m.HWType != iana.HWTypeEthernet:
		return nil, ""
	case !m.GatewayIPAddr.IsUnspecified():
		return nil, "" // there are no relays here
	}
	ours := m.ServerIdentifier() == nil || same(m.ServerIdentifier(), n.Gateway)
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		if m.Options.Has(dhcpv4.OptionRapidCommit) {
			r := lease4(n, g, m, dhcpv4.MessageTypeAck)
			r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil))
			return r, ""
		}
		return lease4(n, g, m, dhcpv4.MessageTypeOffer), ""
	case dhcpv4.MessageTypeRequest:
		if !ours {
			return nil, "" // it took another server's offer
		}
		wanted := m.RequestedIPAddress()
		if wanted == nil {
			wanted = m.ClientIPAddr
		}
		if !same(wanted, g.Addr) {
			return refusal4(n, m), ""
		}
		return lease4(n, g, m, dhcpv4.MessageTypeAck), ""
	case dhcpv4.MessageTypeInform:
		if !same(m.ClientIPAddr, g.Addr) {
			return nil, ""
		}
		r := settings4(n, g, m, dhcpv4.MessageTypeAck)
		r.ClientIPAddr = m.ClientIPAddr
		return r, ""
	case dhcpv4.MessageTypeDecline:
		return nil, "guest says that its address is used by another"
	}
	return nil, "" // a release changes nothing, for the address stays planned
}

// lease4 gives a guest its address.
func lease4(n Network, g Guest, m *dhcpv4.DHCPv4, t dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	r := settings4(n, g, m, t)
	r.YourIPAddr = g.Addr.AsSlice()
	if t == dhcpv4.MessageTypeAck && same(m.ClientIPAddr, g.Addr) {
		r.ClientIPAddr = m.ClientIPAddr
	}
	r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(leaseTime))
	r.UpdateOption(dhcpv4.OptRenewTimeValue(renewTime))
	r.UpdateOption(dhcpv4.OptRebindingTimeValue(rebindTime))
	return r
}

// refusal4 has the client begin anew.
func refusal4(n Network, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	r := reply4(n, m, dhcpv4.MessageTypeNak)
	r.SetBroadcast()
	return r
}

// settings4 says all but the address. What the client did not ask for is left
// out where it can do without.
func settings4(n Network, g Guest, m *dhcpv4.DHCPv4, t dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	r := reply4(n, m, t)
	r.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(n.Subnet.Bits(), 32)))
	r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, []byte{byte(n.MTU >> 8), byte(n.MTU)}))
	if servers := g.nameServers(false); len(servers) > 0 {
		r.UpdateOption(dhcpv4.OptDNS(ips(servers)...))
	}
	if g.Router {
		r.UpdateOption(dhcpv4.OptRouter(n.Gateway.AsSlice()))
	}
	// Who takes these routes does not look at the router (RFC 3442).
	if routes := routes4(n, g); len(routes) > 0 {
		r.UpdateOption(dhcpv4.OptClasslessStaticRoute(routes...))
	}
	asked := m.IsOptionRequested // true of all when the client has no list
	if asked(dhcpv4.OptionBroadcastAddress) {
		r.UpdateOption(dhcpv4.OptBroadcastAddress(broadcast(n.Subnet)))
	}
	if asked(dhcpv4.OptionHostName) && g.Hostname != "" {
		r.UpdateOption(dhcpv4.OptHostName(g.Hostname))
	}
	if asked(dhcpv4.OptionDomainName) && len(g.Search) > 0 {
		r.UpdateOption(dhcpv4.OptDomainName(g.Search[0]))
	}
	if asked(dhcpv4.OptionDNSDomainSearchList) && len(g.Search) > 0 {
		r.UpdateOption(dhcpv4.OptDomainSearch(&rfc1035label.Labels{Labels: g.Search}))
	}
	return fit4(r, m)
}

// fit4 leaves out what a client has no room for, the least needed first.
func fit4(r, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	room := smallest4
	if size, err := m.MaxMessageSize(); err == nil {
		room = max(int(size), smallest4)
	}
	for _, c := range []dhcpv4.OptionCode{dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionDomainName, dhcpv4.OptionHostName} {
		if len(r.ToBytes())+leaseOptions+headerSize4 <= room {
			break
		}
		delete(r.Options, c.Code())
	}
	return r
}

// leaseOptions is the size of what lease4 and a rapid commit add to settings4.
const leaseOptions = 3*6 + 2

func reply4(n Network, m *dhcpv4.DHCPv4, t dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	r := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: m.HWType, TransactionID: m.TransactionID, Flags: m.Flags,
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		ClientHWAddr: m.ClientHWAddr, Options: dhcpv4.Options{},
	}
	r.UpdateOption(dhcpv4.OptMessageType(t))
	r.UpdateOption(dhcpv4.OptServerIdentifier(n.Gateway.AsSlice()))
	if id := m.Options.Get(dhcpv4.OptionClientIdentifier); id != nil {
		r.UpdateOption(dhcpv4.OptClientIdentifier(id)) // RFC 6842
	}
	return r
}

// routes4 are the ways by the gateway.
func routes4(n Network, g Guest) []*dhcpv4.Route {
	var out []*dhcpv4.Route
	by := func(p netip.Prefix) {
		out = append(out, &dhcpv4.Route{
			Dest:   &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)},
			Router: n.Gateway.AsSlice(),
		})
	}
	// Also where there is a router: many guests think that it is on the link.
	if n.Metadata.IsValid() {
		by(netip.PrefixFrom(n.Metadata, 32))
	}
	if g.Router {
		by(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	return out
}

// broadcast is the last address of a subnet.
func broadcast(p netip.Prefix) net.IP {
	b := p.Masked().Addr().As4()
	for i, m := range net.CIDRMask(p.Bits(), 32) {
		b[i] |= ^m
	}
	return b[:]
}

// destination4 is the address that a reply goes to. Its hardware address is the
// guest's in any case.
func destination4(r *dhcpv4.DHCPv4) netip.Addr {
	if a, ok := netip.AddrFromSlice(r.ClientIPAddr.To4()); ok && !a.IsUnspecified() {
		return a
	}
	if a, ok := netip.AddrFromSlice(r.YourIPAddr.To4()); ok && !a.IsUnspecified() && !r.IsBroadcast() {
		return a
	}
	return netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
