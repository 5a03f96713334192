package nft

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
)

// sets are the sets and maps of a table; what rules look things up in.
type sets struct {
	bridges  *nftables.Set    // names of all bridges
	internal *nftables.Set    // names of bridges of internal networks
	inside   *nftables.Set    // pairs of bridge names that may talk: each with itself
	fronts   [2]*nftables.Set // of internal networks: bridge name and address of the node
	inward   [2]*nftables.Set // the addresses alone
	metadata *nftables.Set    // bridge name → address, port of the metadata service
	doors    *nftables.Set    // the same as one key: what internal networks may ask
	subnets  [2]*nftables.Set
	ports    [2]*nftables.Set // protocol, port → address, port
	exact    [2]*nftables.Set // address, protocol, port → address, port
}

func newSets(t *nftables.Table) sets {
	name := func(n string, key nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: t, Name: n, KeyType: key}
	}
	s := sets{
		bridges:  name("bridges", nftables.TypeIFName),
		internal: name("internal", nftables.TypeIFName),
		inside:   name("inside", nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName)),
		metadata: name("metadata", nftables.TypeIFName),
		doors:    name("doors", nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIPAddr, nftables.TypeInetService)),
	}
	s.metadata.IsMap, s.metadata.DataType = true, nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService)
	for i, suffix := range []string{"4", "6"} {
		addr := nftables.TypeIPAddr
		if i == 1 {
			addr = nftables.TypeIP6Addr
		}
		s.subnets[i] = name("subnets"+suffix, addr)
		s.subnets[i].Interval = true
		s.fronts[i] = name("fronts"+suffix, nftables.MustConcatSetType(nftables.TypeIFName, addr))
		s.inward[i] = name("inward"+suffix, addr)
		to := nftables.MustConcatSetType(addr, nftables.TypeInetService)
		s.ports[i] = name("ports"+suffix, nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService))
		s.exact[i] = name("exact"+suffix, nftables.MustConcatSetType(addr, nftables.TypeInetProto, nftables.TypeInetService))
		for _, m := range []*nftables.Set{s.ports[i], s.exact[i]} {
			m.IsMap, m.DataType = true, to
		}
	}
	return s
}

// all lists the sets in a fixed order.
func (s sets) all() []*nftables.Set {
	return []*nftables.Set{s.bridges, s.internal, s.inside, s.metadata, s.doors,
		s.fronts[0], s.fronts[1], s.inward[0], s.inward[1], s.subnets[0], s.subnets[1], s.ports[0], s.ports[1], s.exact[0], s.exact[1]}
}

// elements computes the contents of every set.
func (s sets) elements(networks []Network, published iter.Seq[Published]) map[*nftables.Set][]nftables.SetElement {
	out := map[*nftables.Set][]nftables.SetElement{}
	add := func(set *nftables.Set, e ...nftables.SetElement) { out[set] = append(out[set], e...) }
	for _, n := range networks {
		name := ifname(n.Bridge)
		add(s.bridges, nftables.SetElement{Key: name})
		if n.Internal {
			add(s.internal, nftables.SetElement{Key: name})
		}
		if !n.Isolated {
			add(s.inside, nftables.SetElement{Key: append(ifname(n.Bridge), name...)})
		}
		for _, a := range n.Fronts {
			add(s.fronts[version(a)], nftables.SetElement{Key: append(ifname(n.Bridge), a.AsSlice()...)})
			add(s.inward[version(a)], nftables.SetElement{Key: a.AsSlice()})
		}
		if m := n.Metadata; m.IsValid() {
			at := append(m.Addr().AsSlice(), word(binaryutil.BigEndian.PutUint16(m.Port()))...)
			add(s.metadata, nftables.SetElement{Key: name, Val: at})
			add(s.doors, nftables.SetElement{Key: append(ifname(n.Bridge), at...)})
		}
		for _, p := range n.Subnets {
			add(s.subnets[version(p.Addr())], interval(p)...)
		}
	}
	for p := range published {
		set, e := s.published(p)
		add(set, e)
	}
	return out
}

// published is the map and the element of a published port.
func (s sets) published(p Published) (*nftables.Set, nftables.SetElement) {
	v := version(p.To.Addr())
	key := append(word([]byte{p.Protocol}), word(binaryutil.BigEndian.PutUint16(p.HostPort))...)
	set := s.ports[v]
	if p.Host.IsValid() && !p.Host.IsUnspecified() {
		set = s.exact[v]
		key = append(p.Host.AsSlice(), key...)
	}
	val := append(p.To.Addr().AsSlice(), word(binaryutil.BigEndian.PutUint16(p.To.Port()))...)
	return set, nftables.SetElement{Key: key, Val: val}
}

// parsePublished reads an element of a map of published ports.
func parsePublished(e nftables.SetElement, v6, exact bool) (Published, bool) {
	size, any := 4, netip.IPv4Unspecified()
	if v6 {
		size, any = 16, netip.IPv6Unspecified()
	}
	p := Published{Host: any}
	key := e.Key
	if exact {
		if len(key) < size {
			return p, false
		}
		p.Host, _ = netip.AddrFromSlice(key[:size])
		key = key[size:]
	}
	if len(key) < 6 || len(e.Val) < size+2 {
		return p, false
	}
	p.Protocol, p.HostPort = key[0], binary.BigEndian.Uint16(key[4:])
	to, _ := netip.AddrFromSlice(e.Val[:size])
	p.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(e.Val[size:]))
	return p, true
}

// version is the index of a family in a pair of sets.
func version(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// word pads a value to the 4 bytes of a register.
func word(b []byte) []byte { return append(b, make([]byte, 4-len(b))...) }

// ifname is a name as nftables compares it.
func ifname(s string) []byte {
	b := make([]byte, 16)
	copy(b[:15], s)
	return b
}

// interval is a prefix as the pair of elements that an interval set wants.
func interval(p netip.Prefix) []nftables.SetElement {
	p = p.Masked()
	end := p.Addr().AsSlice()
	for i := p.Bits(); i < len(end)*8; i++ {
		end[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(end)
	return []nftables.SetElement{
		{Key: p.Addr().AsSlice()},
		{Key: last.Next().AsSlice(), IntervalEnd: true},
	}
}
