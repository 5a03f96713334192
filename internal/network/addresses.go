package network

import (
	"net"
	"net/netip"

	"github.com/virga-cloud/virga/api"
)

// addresses gives out the addresses of one IPv4 subnet. It is a pure state
// machine: the same calls give the same answers. An address that was given
// back is given again only when the rest of the subnet has been, so that late
// packets for its old owner find nobody. It is not safe for concurrent use.
type addresses struct {
	subnet netip.Prefix
	first  uint32 // number of the first address that may be given
	count  uint32 // how many from first up
	next   uint32 // offset from first to look at next
	used   map[netip.Addr]struct{}
}

// newAddresses gives out the host addresses of subnet but the reserved ones.
func newAddresses(subnet netip.Prefix, reserved ...netip.Addr) *addresses {
	a := &addresses{subnet: subnet.Masked(), used: map[netip.Addr]struct{}{}}
	size := uint64(1) << (32 - subnet.Bits())
	if size > 2 {
		// Not the network's own address nor the broadcast address.
		a.first, a.count = number(a.subnet.Addr())+1, uint32(size-2)
	}
	for _, r := range reserved {
		a.used[r] = struct{}{}
	}
	return a
}

// take gives out any free address.
func (a *addresses) take() (netip.Addr, error) {
	for range a.count {
		ip := address(a.first + a.next)
		a.next = (a.next + 1) % a.count
		if _, ok := a.used[ip]; !ok {
			a.used[ip] = struct{}{}
			return ip, nil
		}
	}
	return netip.Addr{}, api.Errorf(api.CodeInsufficientCapacity, "subnet %s has no free address", a.subnet).
		WithHint("remove instances, or use a network with a larger subnet")
}

// claim gives out a certain address; false when it is taken or cannot be given.
func (a *addresses) claim(ip netip.Addr) bool {
	if !a.holds(ip) {
		return false
	}
	if _, ok := a.used[ip]; ok {
		return false
	}
	a.used[ip] = struct{}{}
	return true
}

// free takes an address back. Idempotent.
func (a *addresses) free(ip netip.Addr) { delete(a.used, ip) }

// holds says whether ip is one of the addresses that are given out.
func (a *addresses) holds(ip netip.Addr) bool {
	if !ip.Is4() || !a.subnet.Contains(ip) {
		return false
	}
	n := number(ip)
	return n >= a.first && n-a.first < a.count
}

// insideMAC is the hardware address that goes with an address: locally
// administered, and known without asking.
func insideMAC(ip netip.Addr) net.HardwareAddr { return macOf(0x02, ip) }

// outsideMAC is that of the node's end of the link.
func outsideMAC(ip netip.Addr) net.HardwareAddr { return macOf(0xfe, ip) }

// linkLocal is the IPv6 address that goes with a hardware address on its link.
func linkLocal(mac net.HardwareAddr) netip.Prefix {
	b := [16]byte{0: 0xfe, 1: 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]}
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}

// addressOf is the address that an outside hardware address goes with.
func addressOf(mac net.HardwareAddr) (netip.Addr, bool) {
	if len(mac) != 6 || mac[0] != 0xfe || mac[1] != 0x76 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(mac[2:])), true
}

func macOf(first byte, ip netip.Addr) net.HardwareAddr {
	b := ip.As4()
	return net.HardwareAddr{first, 0x76, b[0], b[1], b[2], b[3]}
}
