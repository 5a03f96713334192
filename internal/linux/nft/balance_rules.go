package nft

import (
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// balanceSets are what the rules of a Balance look things up in.
type balanceSets struct {
	guarded *nftables.Set // addresses of services
	spread  *nftables.Set // address, protocol, port, slot → address, port
	sticky  *nftables.Set // the same, for ports with affinity
}

func newBalanceSets(t *nftables.Table) balanceSets {
	port := func(name string) *nftables.Set {
		return &nftables.Set{Table: t, Name: name, IsMap: true,
			KeyType:  nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService, nftables.TypeMark),
			DataType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)}
	}
	return balanceSets{
		guarded: &nftables.Set{Table: t, Name: "guarded", KeyType: nftables.TypeIPAddr},
		spread:  port("spread"), sticky: port("sticky"),
	}
}

func (s balanceSets) all() []*nftables.Set { return []*nftables.Set{s.guarded, s.spread, s.sticky} }

// balanceChains is the whole of the rules; the doc of Balance has the picture.
func balanceChains(t *nftables.Table, s balanceSets, bridges string) []chain {
	balance := [][]expr.Any{
		rule(pick(false, random(), s.spread)),
		rule(pick(false, bySource(), s.sticky)),
		rule(toNode(), pick(true, random(), s.spread)),
		rule(toNode(), pick(true, bySource(), s.sticky)),
	}
	nat := nftables.ChainTypeNAT
	return []chain{
		base(t, "front-guard", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, -300, [][]expr.Any{
			rule(notFrom(bridges), notFrom("lo\x00"), to(s.guarded), drop()),
		}),
		base(t, "balance", nat, nftables.ChainHookPrerouting, -105, balance),
		base(t, "balance-own", nat, nftables.ChainHookOutput, -105, balance),
	}
}

// pick translates the destination to the target in a slot of the map. The key
// is made in the words of registers: address, protocol, port, slot. anywhere
// looks up the port for every address of the node.
func pick(anywhere bool, slot match, m *nftables.Set) match {
	out := family(false)
	if anywhere {
		out = append(out, &expr.Immediate{Register: reg32(0), Data: make([]byte, 4)})
	} else {
		out = append(out, &expr.Payload{DestRegister: reg32(0), Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4})
	}
	out = append(out,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg32(1)},
		&expr.Payload{DestRegister: reg32(2), Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	)
	out = append(out, slot...)
	return append(out,
		&expr.Lookup{SourceRegister: reg32(0), DestRegister: reg32(0), IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg32(0), RegProtoMin: reg32(1)},
	)
}

// random and bySource put a slot's number into word 3.
func random() match {
	return match{&expr.Numgen{Register: reg32(3), Modulus: Slots, Type: unix.NFT_NG_RANDOM}}
}

func bySource() match {
	return match{
		&expr.Payload{DestRegister: reg32(4), Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
		&expr.Hash{SourceRegister: reg32(4), DestRegister: reg32(3), Length: 4, Modulus: Slots, Seed: stickySeed, Type: expr.HashTypeJenkins},
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
func to(s *nftables.Set) match {
	return append(family(false),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Lookup{SourceRegister: reg, SetName: s.Name, SetID: s.ID},
	)
}

// frontOf looks the incoming interface and the destination address up in a set.
func frontOf(s *nftables.Set) match {
	return append(family(false),
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: unix.NFT_REG_1},
		&expr.Payload{DestRegister: unix.NFT_REG_2, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: s.Name, SetID: s.ID},
	)
}
