package nft

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// maxSenders is how many addresses of a family a Guard has room for. The kernel
// keeps a set whose size it is told in a table of that size, half a MiB here,
// where every packet is found with less work than in one that grows.
const maxSenders = 1 << 15

// guardSets are what the rules of a Guard look things up in.
type guardSets struct {
	links   *nftables.Set    // link
	macs    *nftables.Set    // link, hardware address
	senders [2]*nftables.Set // link, hardware address, address
	dropped *nftables.Set    // link, reason; filled by the rules
}

func newGuardSets(t *nftables.Table) guardSets {
	link, mac := nftables.TypeIFIndex, nftables.TypeEtherAddr
	sender := func(name string, address nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: t, Name: name, KeyType: nftables.MustConcatSetType(link, mac, address), Size: maxSenders}
	}
	return guardSets{
		links:   &nftables.Set{Table: t, Name: "links", KeyType: link, KeyByteOrder: binaryutil.NativeEndian},
		macs:    &nftables.Set{Table: t, Name: "macs", KeyType: nftables.MustConcatSetType(link, mac)},
		senders: [2]*nftables.Set{sender("senders4", nftables.TypeIPAddr), sender("senders6", nftables.TypeIP6Addr)},
		dropped: &nftables.Set{Table: t, Name: "dropped", KeyType: nftables.MustConcatSetType(link, nftables.TypeMark),
			Dynamic: true, Counter: true, Size: 65535},
	}
}

// fixed are the sets that only a daemon changes, in the order of guardKeys.
func (s guardSets) fixed() []*nftables.Set {
	return []*nftables.Set{s.links, s.macs, s.senders[0], s.senders[1]}
}

func (s guardSets) all() []*nftables.Set { return append(s.fixed(), s.dropped) }

// keys are the elements that let a link send as itself.
func (l Guarded) keys() guardKeys {
	mac := append(slices.Clone(l.MAC), 0, 0) // padded to words
	sender := func(a netip.Addr) string { return string(slices.Concat(index(l.Link), mac, a.AsSlice())) }
	out := guardKeys{{string(index(l.Link))}, {string(slices.Concat(index(l.Link), mac))}}
	for _, a := range append(slices.Clone(l.Addrs), linkLocal(l.MAC)) {
		if k := sender(a); !slices.Contains(out[2+version(a)], k) {
			out[2+version(a)] = append(out[2+version(a)], k)
		}
	}
	return out
}

// linkLocal is the address that a link makes of its hardware address (RFC 4291,
// appendix A).
func linkLocal(mac net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

func index(link int) []byte { return binaryutil.NativeEndian.PutUint32(uint32(link)) }

// linkOf is the link that an element begins with.
func linkOf(e nftables.SetElement) int {
	if len(e.Key) < 4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(e.Key))
}

// Types of ICMPv6 messages.
const (
	routerSolicitation     = 133
	routerAdvertisement    = 134
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
	redirectMessage        = 137
	multicastReport        = 143
)

// guardChains is the whole of the rules; the doc of Guard has the picture.
func guardChains(t *nftables.Table, s guardSets) []chain {
	policy := nftables.ChainPolicyAccept
	var out []chain
	for _, r := range []Reason{SpoofedMAC, SpoofedAddress, SpoofedAnnouncement, StrangeProtocol} {
		out = append(out, chain{
			Chain: &nftables.Chain{Table: t, Name: r.chain()},
			// Counted or not, it is dropped: the set may be full.
			rules: [][]expr.Any{count(s.dropped, r), rule(drop())},
		})
	}
	arp := []byte{0, 1, 0x08, 0x00, 6, 4} // how ARP for Ethernet and IPv4 begins
	return append(out, chain{
		Chain: &nftables.Chain{Table: t, Name: "guard", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting,
			Priority: nftables.ChainPriorityRef(-310), Policy: &policy},
		rules: [][]expr.Any{
			// What only a DHCP server says; what an honest one would be is the node.
			rule(portTo(unix.IPPROTO_UDP, 68), guardedLink(s.links, false), goTo(SpoofedAnnouncement)),
			rule(etherType(unix.ETH_P_IP), sender(12, s.senders[0]), accept()),
			rule(guardedLink(s.links, true), accept()),
			// What may not be said even by its own address.
			rule(icmp6(routerAdvertisement), goTo(SpoofedAnnouncement)),
			rule(icmp6(redirectMessage), goTo(SpoofedAnnouncement)),
			rule(portTo(unix.IPPROTO_UDP, 546), goTo(SpoofedAnnouncement)),
			rule(icmp6(neighbourAdvertisement), notTarget(s.senders[1]), goTo(SpoofedAnnouncement)),
			rule(etherType(unix.ETH_P_IPV6), sender(8, s.senders[1]), accept()),
			// It is not an honest packet by now, or a rare one.
			rule(etherSource(s.macs), goTo(SpoofedMAC)),
			rule(etherType(unix.ETH_P_ARP), network(0, arp...), arpSender(s.senders[0]), accept()),
			// Somebody who looks whether an address is taken.
			rule(etherType(unix.ETH_P_ARP), network(0, arp...), network(14, 0, 0, 0, 0), arpHardware(s.macs), accept()),
			rule(etherType(unix.ETH_P_ARP), goTo(SpoofedAnnouncement)),
			// Somebody who has no address yet, and asks for its own.
			rule(etherType(unix.ETH_P_IP), network(12, 0, 0, 0, 0, 255, 255, 255, 255), protocol(unix.IPPROTO_UDP),
				transport(0, 0, 68, 0, 67), dhcpHardware(s.macs), accept()),
			rule(icmp6(neighbourSolicitation), network(8, make([]byte, 16)...), accept()),
			rule(icmp6(routerSolicitation), network(8, make([]byte, 16)...), accept()),
			rule(icmp6(multicastReport), network(8, make([]byte, 16)...), accept()),
			rule(etherType(unix.ETH_P_IP), goTo(SpoofedAddress)),
			rule(etherType(unix.ETH_P_IPV6), goTo(SpoofedAddress)),
			rule(goTo(StrangeProtocol)),
		},
	})
}

func (r Reason) chain() string {
	return map[Reason]string{SpoofedMAC: "spoofed-mac", SpoofedAddress: "spoofed-address",
		SpoofedAnnouncement: "spoofed-announcement", StrangeProtocol: "strange-protocol"}[r]
}

// count adds a packet to the element of its link and a reason.
func count(s *nftables.Set, r Reason) []expr.Any {
	const update = 1 // NFT_DYNSET_OP_UPDATE
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIF, Register: reg32(0)},
		&expr.Immediate{Register: reg32(1), Data: binaryutil.NativeEndian.PutUint32(uint32(r))},
		&expr.Dynset{SrcRegKey: reg32(0), SetName: s.Name, SetID: s.ID, Operation: update, Exprs: []expr.Any{&expr.Counter{}}},
	}
}

func goTo(r Reason) match {
	return match{&expr.Verdict{Kind: expr.VerdictGoto, Chain: r.chain()}}
}

// etherType matches what a frame carries. A VLAN's tag has been taken off by
// then, so that what is in it is judged like the rest.
func etherType(typ uint16) match {
	return match{&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: reg}, equal(binaryutil.BigEndian.PutUint16(typ)...)}
}

// network matches bytes of the network header.
func network(offset uint32, b ...byte) match {
	return match{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(b))},
		equal(b...),
	}
}

// transport matches bytes of the header after that.
func transport(offset uint32, b ...byte) match {
	return match{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: uint32(len(b))},
		equal(b...),
	}
}

// icmp6 matches a type of ICMPv6 messages, whatever headers come before it.
func icmp6(typ byte) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: reg}, equal(binaryutil.BigEndian.PutUint16(unix.ETH_P_IPV6)...),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal(unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, equal(typ),
	}
}

// sender looks link, hardware address and the source address up.
func sender(offset uint32, s *nftables.Set) match {
	size := uint32(4)
	if s.KeyType.Bytes > 16 {
		size = 16
	}
	return lookUp(s, false, linkWord(), sourceWords(),
		&expr.Payload{DestRegister: reg32(3), Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size})
}

// notTarget is true when a neighbour advertisement speaks of an address that is
// not the link's.
func notTarget(s *nftables.Set) match {
	return lookUp(s, true, linkWord(), sourceWords(),
		&expr.Payload{DestRegister: reg32(3), Base: expr.PayloadBaseTransportHeader, Offset: 8, Len: 16})
}

// etherSource is true of a hardware address that is not the link's.
func etherSource(s *nftables.Set) match { return lookUp(s, true, linkWord(), sourceWords()) }

// guardedLink looks the link up among the guarded ones.
func guardedLink(links *nftables.Set, not bool) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyIIF, Register: reg},
		&expr.Lookup{SourceRegister: reg, SetName: links.Name, SetID: links.ID, Invert: not},
	}
}

// dhcpHardware looks up whose hardware address a DHCP message speaks of.
func dhcpHardware(s *nftables.Set) match {
	return lookUp(s, false, linkWord(),
		&expr.Payload{DestRegister: reg32(1), Base: expr.PayloadBaseTransportHeader, Offset: 8 + 28, Len: 6})
}

// arpHardware looks up what an ARP packet says the sender's hardware address is.
func arpHardware(s *nftables.Set) match { return lookUp(s, false, linkWord(), arpWords()) }

// arpSender looks up what an ARP packet says the sender's two addresses are.
func arpSender(s *nftables.Set) match {
	return lookUp(s, false, linkWord(), arpWords(),
		&expr.Payload{DestRegister: reg32(3), Base: expr.PayloadBaseNetworkHeader, Offset: 14, Len: 4})
}

func lookUp(s *nftables.Set, not bool, key ...expr.Any) match {
	return append(key, &expr.Lookup{SourceRegister: reg32(0), SetName: s.Name, SetID: s.ID, Invert: not})
}

func linkWord() expr.Any { return &expr.Meta{Key: expr.MetaKeyIIF, Register: reg32(0)} }

func sourceWords() expr.Any {
	return &expr.Payload{DestRegister: reg32(1), Base: expr.PayloadBaseLLHeader, Offset: 6, Len: 6}
}

func arpWords() expr.Any {
	return &expr.Payload{DestRegister: reg32(1), Base: expr.PayloadBaseNetworkHeader, Offset: 8, Len: 6}
}
