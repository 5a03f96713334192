package nft

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// balanceSets are what the rules of a Balance look things up in, each for IPv4
// and for IPv6.
type balanceSets struct {
	guarded [2]*nftables.Set // addresses of services
	spread  [2]*nftables.Set // address, protocol, port, slot → address, port
	sticky  [2]*nftables.Set // the same, for ports with affinity
}

func newBalanceSets(t *nftables.Table) balanceSets {
	var s balanceSets
	for v, addr := range []nftables.SetDatatype{nftables.TypeIPAddr, nftables.TypeIP6Addr} {
		suffix := []string{"4", "6"}[v]
		port := func(name string) *nftables.Set {
			return &nftables.Set{Table: t, Name: name + suffix, IsMap: true,
				KeyType:  nftables.MustConcatSetType(addr, nftables.TypeInetProto, nftables.TypeInetService, nftables.TypeMark),
				DataType: nftables.MustConcatSetType(addr, nftables.TypeInetService)}
		}
		s.guarded[v] = &nftables.Set{Table: t, Name: "guarded" + suffix, KeyType: addr}
		s.spread[v], s.sticky[v] = port("spread"), port("sticky")
	}
	return s
}

func (s balanceSets) all() []*nftables.Set { return slices.Concat(s.guarded[:], s.maps()) }

// maps are the sets that hold ports.
func (s balanceSets) maps() []*nftables.Set { return slices.Concat(s.spread[:], s.sticky[:]) }

// balanceChains is the whole of the rules; the doc of Balance has the picture.
func balanceChains(t *nftables.Table, s balanceSets, bridges string) []chain {
	var guard, balance, own [][]expr.Any
	for v := range 2 {
		v6 := v == 1
		guard = append(guard, rule(notFrom(bridges), notFrom("lo\x00"), to(v6, s.guarded[v]), drop()))
		rules := [][]expr.Any{
			rule(pick(v6, false, random(v6), s.spread[v])),
			rule(pick(v6, false, bySource(v6), s.sticky[v])),
			rule(toNode(), pick(v6, true, random(v6), s.spread[v])),
			rule(toNode(), pick(v6, true, bySource(v6), s.sticky[v])),
		}
		balance = append(balance, rules...)
		if v6 {
			// Nothing comes back to ::1 from a link.
			for i := range rules[2:] {
				rules[2+i] = rule(notLoopback6(), rules[2+i])
			}
		}
		own = append(own, rules...)
	}
	nat := nftables.ChainTypeNAT
	return []chain{
		base(t, "front-guard", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, -300, guard),
		base(t, "balance", nat, nftables.ChainHookPrerouting, -105, balance),
		base(t, "balance-own", nat, nftables.ChainHookOutput, -105, own),
	}
}

// layout is where a family's packets have their addresses, and the words of
// registers that one fills.
type layout struct {
	source, destination uint32 // offset in the header
	size, words         uint32 // of an address
	family              uint32
}

func layoutOf(v6 bool) layout {
	if v6 {
		return layout{8, 24, 16, 4, unix.NFPROTO_IPV6}
	}
	return layout{12, 16, 4, 1, unix.NFPROTO_IPV4}
}

// pick translates the destination to the target in a slot of the map. The key
// is made in the words of registers: address, protocol, port, slot. anywhere
// looks up the port for every address of the node.
func pick(v6, anywhere bool, slot match, m *nftables.Set) match {
	l := layoutOf(v6)
	out := family(v6)
	if anywhere {
		for w := range l.words {
			out = append(out, &expr.Immediate{Register: reg32(w), Data: make([]byte, 4)})
		}
	} else {
		out = append(out, &expr.Payload{DestRegister: reg32(0), Base: expr.PayloadBaseNetworkHeader, Offset: l.destination, Len: l.size})
	}
	out = append(out,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg32(l.words)},
		&expr.Payload{DestRegister: reg32(l.words + 1), Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	)
	out = append(out, slot...)
	return append(out,
		&expr.Lookup{SourceRegister: reg32(0), DestRegister: reg32(0), IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: l.family, RegAddrMin: reg32(0), RegProtoMin: reg32(l.words)},
	)
}

// random and bySource put a slot's number into the word after address, protocol
// and port.
func random(v6 bool) match {
	return match{&expr.Numgen{Register: reg32(layoutOf(v6).words + 2), Modulus: Slots, Type: unix.NFT_NG_RANDOM}}
}

func bySource(v6 bool) match {
	l := layoutOf(v6)
	const free = 8 // words that no key has
	return match{
		&expr.Payload{DestRegister: reg32(free), Base: expr.PayloadBaseNetworkHeader, Offset: l.source, Len: l.size},
		&expr.Hash{SourceRegister: reg32(free), DestRegister: reg32(l.words + 2), Length: l.size, Modulus: Slots, Seed: stickySeed, Type: expr.HashTypeJenkins},
	}
}

// stickySeed is fixed, so that a client stays at its target when the table is
// written anew.
const stickySeed = 0x76697267

// notFrom matches packets of interfaces whose name does not begin so.
func notFrom(prefix string) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: []byte(prefix)},
	}
}

// to looks the destination address up in a set.
func to(v6 bool, s *nftables.Set) match {
	l := layoutOf(v6)
	return append(family(v6),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: l.destination, Len: l.size},
		&expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID},
	)
}

// frontOf looks the incoming interface and the destination address up in a set.
func frontOf(v6 bool, s *nftables.Set) match {
	l := layoutOf(v6)
	return append(family(v6),
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: unix.NFT_REG_1},
		&expr.Payload{DestRegister: unix.NFT_REG_2, Base: expr.PayloadBaseNetworkHeader, Offset: l.destination, Len: l.size},
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: s.Name, SetID: s.ID},
	)
}
