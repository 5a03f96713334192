package nft

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// match is a part of a rule. Parts are joined by rule.
type match []expr.Any

func rule(parts ...match) []expr.Any {
	var out []expr.Any
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Registers: reg is the first of 16 bytes; reg32 counts words from it.
const reg = unix.NFT_REG_1

func reg32(word uint32) uint32 { return unix.NFT_REG32_00 + word }

// family restricts a rule of an inet table to one family.
func family(v6 bool) match {
	proto := byte(unix.NFPROTO_IPV4)
	if v6 {
		proto = unix.NFPROTO_IPV6
	}
	return match{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg},
		equal(proto),
	}
}

func equal(b ...byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: b}
}

// fromBridge and toBridge look the interface's name up in a set.
func fromBridge(s *nftables.Set) match { return interfaceIn(expr.MetaKeyIIFNAME, s, false) }
func toBridge(s *nftables.Set) match   { return interfaceIn(expr.MetaKeyOIFNAME, s, false) }

// toOutside is true of every interface that is not in the set.
func toOutside(s *nftables.Set) match { return interfaceIn(expr.MetaKeyOIFNAME, s, true) }

func interfaceIn(key expr.MetaKey, s *nftables.Set, not bool) match {
	return match{
		&expr.Meta{Key: key, Register: reg},
		&expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID, Invert: not},
	}
}

// between looks the pair of interfaces up in a set.
func between(s *nftables.Set) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: unix.NFT_REG_1},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: unix.NFT_REG_2},
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: s.Name, SetID: s.ID},
	}
}

// from looks the source address up in a set of prefixes.
func from(v6 bool, s *nftables.Set) match {
	off, n := uint32(12), uint32(4)
	if v6 {
		off, n = 8, 16
	}
	return append(family(v6),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: off, Len: n},
		&expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID},
	)
}

// loopback matches 127.0.0.0/8 as source or destination.
func loopback(destination bool) match {
	off := uint32(12)
	if destination {
		off = 16
	}
	return append(family(false),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: off, Len: 1},
		equal(127),
	)
}

// notLoopback6 matches IPv6 packets to others than ::1.
func notLoopback6() match {
	return append(family(true),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: netip.IPv6Loopback().AsSlice()},
	)
}

// toNode matches packets to an address of the node.
func toNode() match {
	return match{
		&expr.Fib{Register: reg, FlagDADDR: true, ResultADDRTYPE: true},
		equal(binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)...),
	}
}

// portTo matches a protocol and a destination port.
func portTo(proto byte, port uint16) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg},
		equal(proto),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		equal(binaryutil.BigEndian.PutUint16(port)...),
	}
}

// protocol matches a transport protocol.
func protocol(proto byte) match {
	return match{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal(proto)}
}

const (
	established = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED
	// statusDNAT is IPS_DST_NAT.
	statusDNAT = 1 << 5
)

// state matches connections in one of the states.
func state(bits uint32) match { return bitsOf(expr.CtKeySTATE, bits) }

// published matches connections whose destination was translated.
func published() match { return bitsOf(expr.CtKeySTATUS, statusDNAT) }

func bitsOf(key expr.CtKey, bits uint32) match {
	return match{
		&expr.Ct{Key: key, Register: reg},
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: make([]byte, 4)},
	}
}

// redirect translates the destination by a map: of address, protocol and port
// when exact, of protocol and port otherwise. A packet not in the map passes
// on to the next rule.
func redirect(v6, exact bool, m *nftables.Set) match {
	var out match
	words := uint32(1)
	off := uint32(16)
	if v6 {
		words, off = 4, 24
	}
	out = append(out, family(v6)...)
	key := uint32(0)
	if exact {
		out = append(out, &expr.Payload{DestRegister: reg32(0), Base: expr.PayloadBaseNetworkHeader, Offset: off, Len: 4 * words})
		key = words
	}
	nat := uint32(unix.NFPROTO_IPV4)
	if v6 {
		nat = unix.NFPROTO_IPV6
	}
	return append(out,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg32(key)},
		&expr.Payload{DestRegister: reg32(key + 1), Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: reg32(0), DestRegister: reg32(0), IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: nat, RegAddrMin: reg32(0), RegProtoMin: reg32(words)},
	)
}

// toMetadata matches the address of the metadata service.
func toMetadata() match {
	return append(family(false),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		equal(169, 254, 169, 254),
	)
}

// redirectByBridge translates the destination to what a map has for the
// incoming interface. A packet from another one passes on.
func redirectByBridge(m *nftables.Set) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg},
		&expr.Lookup{SourceRegister: reg, DestRegister: reg32(0), IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg32(0), RegProtoMin: reg32(1)},
	}
}

// doorOf looks the incoming interface, the destination address and the TCP
// port up in a set.
func doorOf(s *nftables.Set) match {
	return append(family(false),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal(unix.IPPROTO_TCP),
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg},
		&expr.Payload{DestRegister: reg32(4), Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Payload{DestRegister: reg32(5), Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID},
	)
}

func masquerade() match { return match{&expr.Masq{}} }
func accept() match     { return match{&expr.Verdict{Kind: expr.VerdictAccept}} }
func drop() match       { return match{&expr.Verdict{Kind: expr.VerdictDrop}} }
