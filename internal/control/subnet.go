package control

import (
	"crypto/sha256"
	"net/netip"

	"github.com/virga-cloud/virga/api"
)

// freeSubnet is the first subnet of so many bits within pool that overlaps none
// of the taken ones.
func freeSubnet(pool netip.Prefix, bits int, taken []netip.Prefix) (netip.Prefix, error) {
	for p := netip.PrefixFrom(pool.Masked().Addr(), bits); pool.Contains(p.Addr()); {
		t, ok := overlapping(p, taken)
		if !ok {
			return p, nil
		}
		// Jump over the larger of both.
		last := lastAddr(netip.PrefixFrom(p.Addr(), min(bits, t.Bits())).Masked())
		next := last.Next()
		if !next.IsValid() {
			break
		}
		p = netip.PrefixFrom(next, bits)
	}
	return netip.Prefix{}, api.Errorf(api.CodeInsufficientCapacity, "every /%d subnet of %s is in use on this node", bits, pool).
		WithHint("give the network a subnet of its own, or remove networks: virga network prune")
}

func overlapping(p netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	for _, t := range taken {
		if p.Overlaps(t) {
			return t, true
		}
	}
	return netip.Prefix{}, false
}

// lastAddr is the last address of a subnet, which for IPv4 is its broadcast
// address.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// localPrefix is a /48 of unique local addresses that goes with an id: IDs are
// random, so that two nodes are unlikely to have the same.
func localPrefix(id string) netip.Prefix {
	sum := sha256.Sum256([]byte(id))
	b := [16]byte{0xfd}
	copy(b[1:6], sum[:])
	return netip.PrefixFrom(netip.AddrFrom16(b), 48)
}
