package nft

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const errNoEntry = unix.ENOENT

// policyChain is a chain of a policy's table.
type policyChain struct {
	*nftables.Chain
	rules []policyRule
}

// policyRule is a rule as the kernel gets it; id is "" for fixed ones.
type policyRule struct {
	id    string
	exprs []expr.Any
}

// filledSet is a set with its elements.
type filledSet struct {
	*nftables.Set
	elements []nftables.SetElement
}

// sets are the addresses of guarded subnets and of every rule's sides.
func (p Policy) sets(t *nftables.Table) []filledSet {
	var out []filledSet
	for v := range 2 {
		guarded := filledSet{Set: addressSet(t, "guarded", v)}
		guarded.Interval = true
		for _, g := range p.Guarded {
			if version(g.Addr()) == v {
				guarded.elements = append(guarded.elements, interval(g)...)
			}
		}
		out = append(out, guarded)
		for _, r := range p.Rules {
			for side, addrs := range map[string][]netip.Addr{"from": r.From, "to": r.To} {
				s := filledSet{Set: addressSet(t, r.ID+"-"+side, v)}
				for _, a := range addrs {
					if version(a) == v {
						s.elements = append(s.elements, nftables.SetElement{Key: a.AsSlice()})
					}
				}
				out = append(out, s)
			}
		}
	}
	return out
}

func addressSet(t *nftables.Table, name string, v int) *nftables.Set {
	if v == 0 {
		return &nftables.Set{Table: t, Name: name + "4", KeyType: nftables.TypeIPAddr}
	}
	return &nftables.Set{Table: t, Name: name + "6", KeyType: nftables.TypeIP6Addr}
}

// chains is the whole of a table: denials, then the judgement of what goes
// between guarded addresses.
func (p Policy) chains(t *nftables.Table) []policyChain {
	accepting := nftables.ChainPolicyAccept
	between := policyChain{Chain: &nftables.Chain{Table: t, Name: "between", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityRef(-1), Policy: &accepting}}
	judge := policyChain{Chain: &nftables.Chain{Table: t, Name: "judge"}}
	fixed := func(parts ...match) policyRule { return policyRule{exprs: rule(parts...)} }
	judge.rules = append(judge.rules,
		fixed(protocol(unix.IPPROTO_TCP), opening(false), accept()),
		fixed(protocol(unix.IPPROTO_ICMP), notICMP(8), accept()),
		fixed(protocol(unix.IPPROTO_ICMPV6), notICMP(128), accept()))
	for v := range 2 {
		for _, r := range p.Rules {
			for _, m := range r.matches(v) {
				parts := rule(append(m, counter())...)
				if r.Allow {
					judge.rules = append(judge.rules, policyRule{r.ID, append(parts, accept()...)})
					continue
				}
				between.rules = append(between.rules, policyRule{r.ID, append(parts, drop()...)})
			}
			if r.Allow && r.Protocol != unix.IPPROTO_TCP {
				judge.rules = append(judge.rules, policyRule{"", rule(append(r.reply(v), accept())...)})
			}
		}
	}
	for v := range 2 {
		between.rules = append(between.rules, fixed(sourceIn("guarded", v), destinationIn("guarded", v), jump("judge")))
	}
	judge.rules = append(judge.rules, policyRule{DefaultDeny, rule(counter(), drop())})
	// What is jumped to exists first.
	return []policyChain{judge, between}
}

// DefaultDeny is the id of what guarded subnets deny because no rule allows it.
const DefaultDeny = "default"

// matches are what a rule speaks of: the opening of TCP connections, and all
// packets of other protocols.
func (r PolicyRule) matches(v int) [][]match {
	sides := func(more ...match) []match {
		return append([]match{sourceIn(r.ID+"-from", v), destinationIn(r.ID+"-to", v)}, more...)
	}
	tcp := sides(protocol(unix.IPPROTO_TCP), opening(true), destinationPort(r.Port))
	switch r.Protocol {
	case unix.IPPROTO_TCP:
		return [][]match{tcp}
	case 0:
		if r.Port != 0 {
			return [][]match{tcp, sides(protocol(unix.IPPROTO_UDP), destinationPort(r.Port))}
		}
		return [][]match{tcp, sides(notProtocol(unix.IPPROTO_TCP))}
	}
	return [][]match{sides(protocol(r.Protocol), destinationPort(r.Port))}
}

// reply is what comes back to the rule's source, without a connection.
func (r PolicyRule) reply(v int) []match {
	out := []match{sourceIn(r.ID+"-to", v), destinationIn(r.ID+"-from", v)}
	switch {
	case r.Protocol != 0:
		out = append(out, protocol(r.Protocol), sourcePort(r.Port))
	case r.Port != 0:
		out = append(out, protocol(unix.IPPROTO_UDP), sourcePort(r.Port))
	default:
		out = append(out, notProtocol(unix.IPPROTO_TCP))
	}
	return out
}

func sourceIn(set string, v int) match      { return addressIn(set, v, [2]uint32{12, 8}) }
func destinationIn(set string, v int) match { return addressIn(set, v, [2]uint32{16, 24}) }

// addressIn looks an address up. The kind of packet is told by its ethernet
// type, which both families of tables have.
func addressIn(set string, v int, offset [2]uint32) match {
	typ, size, suffix := uint16(unix.ETH_P_IP), uint32(4), "4"
	if v == 1 {
		typ, size, suffix = unix.ETH_P_IPV6, 16, "6"
	}
	return match{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: reg},
		equal(binaryutil.BigEndian.PutUint16(typ)...),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: offset[v], Len: size},
		&expr.Lookup{SourceRegister: reg, SetName: set + suffix},
	}
}

// opening matches the first packet of a TCP connection, or all others.
func opening(yes bool) match {
	const syn, ack = 0x02, 0x10
	op := expr.CmpOpNeq
	if yes {
		op = expr.CmpOpEq
	}
	return match{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 1, Mask: []byte{syn | ack}, Xor: []byte{0}},
		&expr.Cmp{Op: op, Register: reg, Data: []byte{syn}},
	}
}

// notICMP matches every type but one.
func notICMP(typ byte) match {
	return match{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: []byte{typ}},
	}
}

func notProtocol(proto byte) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: []byte{proto}},
	}
}

func sourcePort(port uint16) match      { return portAt(0, port) }
func destinationPort(port uint16) match { return portAt(2, port) }

// portAt matches a port; 0 is every one.
func portAt(offset uint32, port uint16) match {
	if port == 0 {
		return nil
	}
	return match{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		equal(binaryutil.BigEndian.PutUint16(port)...),
	}
}

func counter() match { return match{&expr.Counter{}} }

func jump(chain string) match {
	return match{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}}
}
