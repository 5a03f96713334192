package autoconf

import (
	"bytes"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

// maxAssociations is how many identity associations of a message are looked at.
// A client with one interface has one.
const maxAssociations = 4

// answer6 answers a client's message; nil is no answer. note is worth a line in
// the log, or "".
func answer6(n Network, g Guest, m *dhcpv6.Message) (reply *dhcpv6.Message, note string) {
	client, server := m.GetOneOption(dhcpv6.OptionClientID), m.Options.ServerID()
	ours := server != nil && bytes.Equal(server.ToBytes(), serverID(n).ToBytes())
	r := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply, TransactionID: m.TransactionID}
	r.AddOption(dhcpv6.OptServerID(serverID(n)))
	if client != nil {
		r.AddOption(client)
	}
	switch m.Type() {
	case dhcpv6.MessageTypeInformationRequest:
		if server != nil && !ours || len(m.Options.IANA()) > 0 {
			return nil, ""
		}
		return settings6(r, g), ""
	case dhcpv6.MessageTypeSolicit, dhcpv6.MessageTypeConfirm, dhcpv6.MessageTypeRebind:
		if client == nil || server != nil {
			return nil, ""
		}
	default:
		if client == nil || !ours {
			return nil, ""
		}
	}
	switch m.Type() {
	case dhcpv6.MessageTypeSolicit:
		r.MessageType = dhcpv6.MessageTypeAdvertise
		if m.GetOneOption(dhcpv6.OptionRapidCommit) != nil {
			r.MessageType = dhcpv6.MessageTypeReply
			dhcpv6.WithRapidCommit(r)
		}
		return settings6(lease6(r, g, m), g), ""
	case dhcpv6.MessageTypeRequest, dhcpv6.MessageTypeRenew, dhcpv6.MessageTypeRebind:
		return settings6(lease6(r, g, m), g), ""
	case dhcpv6.MessageTypeConfirm:
		return confirm6(r, g, m), ""
	case dhcpv6.MessageTypeRelease:
		return status6(r, iana.StatusSuccess), "" // the address stays planned
	case dhcpv6.MessageTypeDecline:
		return status6(r, iana.StatusSuccess), "guest says that its address is used by another"
	}
	return nil, ""
}

// lease6 gives a guest its address, in the first association for addresses
// that the client names. Others get none.
func lease6(r *dhcpv6.Message, g Guest, m *dhcpv6.Message) *dhcpv6.Message {
	for i, ia := range first(m.Options.IANA()) {
		out := &dhcpv6.OptIANA{IaId: ia.IaId}
		if i > 0 || !g.Addr6.IsValid() {
			out.Options.Add(&dhcpv6.OptStatusCode{StatusCode: iana.StatusNoAddrsAvail})
			r.AddOption(out)
			continue
		}
		out.T1, out.T2 = renewTime, rebindTime
		out.Options.Add(address6(g, leaseTime))
		for _, had := range first(ia.Options.Addresses()) {
			if !same(had.IPv6Addr, g.Addr6) {
				out.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: had.IPv6Addr}) // no longer
			}
		}
		r.AddOption(out)
	}
	for _, ia := range first(m.Options.IATA()) {
		out := &dhcpv6.OptIATA{IaId: ia.IaId}
		out.Options.Add(&dhcpv6.OptStatusCode{StatusCode: iana.StatusNoAddrsAvail})
		r.AddOption(out)
	}
	for _, ia := range first(m.Options.IAPD()) {
		out := &dhcpv6.OptIAPD{IaId: ia.IaId}
		out.Options.Add(&dhcpv6.OptStatusCode{StatusCode: iana.StatusNoPrefixAvail})
		r.AddOption(out)
	}
	return r
}

// confirm6 says whether a client may go on with the addresses it has.
func confirm6(r *dhcpv6.Message, g Guest, m *dhcpv6.Message) *dhcpv6.Message {
	status, any := iana.StatusSuccess, false
	for _, ia := range first(m.Options.IANA()) {
		for _, a := range first(ia.Options.Addresses()) {
			any = true
			if !same(a.IPv6Addr, g.Addr6) {
				status = iana.StatusNotOnLink
			}
		}
	}
	if !any {
		return nil
	}
	return status6(r, status)
}

func address6(g Guest, lifetime time.Duration) *dhcpv6.OptIAAddress {
	return &dhcpv6.OptIAAddress{IPv6Addr: g.Addr6.AsSlice(), PreferredLifetime: lifetime, ValidLifetime: lifetime}
}

// settings6 adds name servers and domains.
func settings6(r *dhcpv6.Message, g Guest) *dhcpv6.Message {
	if servers := g.nameServers(true); len(servers) > 0 {
		dhcpv6.WithDNS(ips(servers)...)(r)
	}
	if len(g.Search) > 0 {
		dhcpv6.WithDomainSearchList(g.Search...)(r)
	}
	return r
}

func status6(r *dhcpv6.Message, s iana.StatusCode) *dhcpv6.Message {
	r.AddOption(&dhcpv6.OptStatusCode{StatusCode: s})
	return r
}

// serverID names the server: the same as long as the network is.
func serverID(n Network) dhcpv6.DUID {
	return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: n.MAC}
}

// first are as many as are looked at.
func first[T any](list []T) []T { return list[:min(len(list), maxAssociations)] }
