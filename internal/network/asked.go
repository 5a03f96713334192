package network

import (
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/virga-cloud/virga/api"
)

// asked is an address that an instance asked for and that no IPv4 address keeps
// from being given twice: an IPv6 or a hardware address. On one bridge two
// ports with one hardware address take each other's frames.
type asked struct {
	network string // its key
	address string
}

// ask takes an address for an instance.
//
// +checklocks:f.mu
func (f *Fabric) ask(a asked, instance, network, field string) error {
	if owner, ok := f.asked[a]; ok && owner != instance {
		return api.Errorf(api.CodeConflict, "address %s of network %s is taken", a.address, network).InField(field).
			WithHint("leave the address out to get a free one")
	}
	f.asked[a] = instance
	return nil
}

// unask gives back what an instance asked for and does not have.
func (f *Fabric) unask(instance string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return
	}
	has := map[asked]bool{}
	if m := f.members[instance]; m != nil {
		for _, p := range m.ports {
			for _, a := range p.asked() {
				has[a] = true
			}
		}
	}
	maps.DeleteFunc(f.asked, func(a asked, owner string) bool { return owner == instance && !has[a] })
}

// asked are the addresses of a port that were asked for.
func (q port) asked() []asked {
	var out []asked
	if q.addr6.IsValid() && !q.segment.given6(q.addr6) {
		out = append(out, asked{q.segment.key, q.addr6.String()})
	}
	if !slices.Equal(q.mac, insideMAC(q.addr)) {
		out = append(out, asked{q.segment.key, q.mac.String()})
	}
	return out
}

// claimMAC takes the hardware address that an attachment asks for. Those that
// go with IPv4 addresses are not to be had otherwise: one of them is the
// gateway's, and each is somebody's or will be.
//
// +checklocks:f.mu
func (f *Fabric) claimMAC(s *segment, a api.Attachment, instance, field string) (net.HardwareAddr, error) {
	mac, err := net.ParseMAC(a.MAC)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 {
		return nil, api.Invalid(field, "%q is not a hardware address of one device", a.MAC)
	}
	for _, given := range []func(netip.Addr) net.HardwareAddr{insideMAC, outsideMAC} {
		addr := netip.AddrFrom4([4]byte(mac[2:]))
		if !slices.Equal(mac, given(addr)) || mac[0] == 0x02 && addr.String() == a.Address {
			continue
		}
		return nil, api.Invalid(field, "hardware address %s goes with address %s", mac, addr).
			WithHint("choose one that begins with neither 02:76 nor fe:76, or leave it out")
	}
	return mac, f.ask(asked{s.key, mac.String()}, instance, s.name, field)
}
