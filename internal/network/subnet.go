package network

import (
	"encoding/binary"
	"net/netip"

	"github.com/virga-cloud/virga/api"
)

// freeSubnet is the first subnet of bits within pool that overlaps none of the
// taken ones, looking from start up and then from the pool's beginning.
func freeSubnet(pool netip.Prefix, bits int, start netip.Addr, taken []netip.Prefix) (netip.Prefix, error) {
	pool = pool.Masked()
	if bits < pool.Bits() {
		bits = pool.Bits()
	}
	step := uint64(1) << (32 - bits)
	base := uint64(number(pool.Addr()))
	count := uint64(1) << (bits - pool.Bits())
	first := uint64(0)
	if pool.Contains(start) {
		first = (uint64(number(start)) - base) / step
	}
	for i := range count {
		p := netip.PrefixFrom(address(uint32(base+(first+i)%count*step)), bits)
		if !overlaps(p, taken) {
			return p, nil
		}
	}
	return netip.Prefix{}, api.Errorf(api.CodeInsufficientCapacity, "every /%d subnet of %s is in use on this node", bits, pool).
		WithHint("give the network a subnet of its own")
}

func overlaps(p netip.Prefix, taken []netip.Prefix) bool {
	for _, t := range taken {
		if p.Overlaps(t) {
			return true
		}
	}
	return false
}

// number and address convert an IPv4 address to and from an integer.
func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func address(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}
