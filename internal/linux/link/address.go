package link

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// AddAddress gives the link of an index an address; one that it has already is
// no error. IPv6 addresses are usable at once: virga assigns them, so there is
// nothing to detect.
func AddAddress(index int, a netip.Prefix) Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.AddData(ifaddr(index, a))
	ip := a.Addr().AsSlice()
	r.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip))
	r.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, ip))
	if a.Addr().Is6() {
		r.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(unix.IFA_F_NODAD)))
	}
	return Request{op: "add address " + a.String(), msg: r, done: []unix.Errno{unix.EEXIST}}
}

// AddServiceAddress gives the link of an index a further address, which answers
// but is never chosen as the source of what the node sends by itself.
func AddServiceAddress(index int, a netip.Addr) Request {
	r := AddAddress(index, netip.PrefixFrom(a, a.BitLen()))
	if a.Is6() {
		// IPv4 takes the source from the route. IPv6 takes the most similar
		// address, unless it is deprecated (RFC 6724, rule 3): no preferred
		// lifetime, for ever valid.
		lifetimes := make([]byte, 16) // struct ifa_cacheinfo
		binary.NativeEndian.PutUint32(lifetimes[4:], math.MaxUint32)
		r.msg.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, lifetimes))
	}
	return r
}

// DeleteAddress takes an address from the link of an index.
func DeleteAddress(index int, a netip.Prefix) Request {
	r := nl.NewNetlinkRequest(unix.RTM_DELADDR, 0)
	r.AddData(ifaddr(index, a))
	r.AddData(nl.NewRtAttr(unix.IFA_LOCAL, a.Addr().AsSlice()))
	return Request{op: "delete address " + a.String(), msg: r, done: []unix.Errno{unix.EADDRNOTAVAIL}}
}

func ifaddr(index int, a netip.Prefix) *nl.IfAddrmsg {
	m := nl.NewIfAddrmsg(family(a.Addr()))
	m.Prefixlen = uint8(a.Bits())
	m.Index = uint32(index)
	return m
}

// AddDefaultRoute routes everything of the gateway's family to it. A smaller
// metric wins.
func AddDefaultRoute(index int, gateway netip.Addr, metric int) Request {
	return AddRoute(index, netip.Prefix{}, gateway, metric)
}

// AddRoute adds a route to a prefix by a gateway on a link; the invalid prefix
// is everywhere. One that is there already is no error.
func AddRoute(index int, to netip.Prefix, gateway netip.Addr, metric int) Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	m := nl.NewRtMsg()
	m.Family = uint8(family(gateway))
	r.AddData(m)
	if to.IsValid() {
		m.Dst_len = uint8(to.Bits())
		r.AddData(nl.NewRtAttr(unix.RTA_DST, to.Addr().AsSlice()))
	}
	r.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, gateway.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	if metric > 0 {
		r.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(uint32(metric))))
	}
	return Request{op: "add route to " + gateway.String(), msg: r, done: []unix.Errno{unix.EEXIST}}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
