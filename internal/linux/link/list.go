package link

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Link is what the kernel says of one link.
type Link struct {
	Index  int
	Name   string
	Alias  string
	Kind   string // "veth", "bridge", …, "" for a device
	Master int    // index of the bridge it belongs to, or 0
	Peer   int    // index of a veth's other end, in the namespace that is in
	MAC    net.HardwareAddr
	Up     bool
	Counters
}

// Counters are a link's, seen from the side it is on.
type Counters struct {
	RxPackets, TxPackets, RxBytes, TxBytes   uint64
	RxErrors, TxErrors, RxDropped, TxDropped uint64
}

// List reads every link of the namespace.
func (c *Conn) List() ([]Link, error) {
	var out []Link
	r := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	err := c.dump(Request{op: "list links", msg: r}, func(typ uint16, body []byte) {
		if l, ok := parseLink(typ, body); ok {
			out = append(out, l)
		}
	})
	return out, err
}

// ByName reads one link; the error is ENODEV when there is none.
func (c *Conn) ByName(name string) (Link, error) {
	var l Link
	found := false
	r := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	err := c.dump(Request{op: "read link " + name, msg: r}, func(typ uint16, body []byte) {
		l, found = parseLink(typ, body)
	})
	if err == nil && !found {
		err = fmt.Errorf("read link %s: %w", name, unix.ENODEV)
	}
	return l, err
}

// Addresses reads the addresses of the link of an index, or of all when 0.
func (c *Conn) Addresses(index int) ([]netip.Prefix, error) {
	var out []netip.Prefix
	r := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	r.AddData(nl.NewIfAddrmsg(unix.AF_UNSPEC))
	err := c.dump(Request{op: "list addresses", msg: r}, func(_ uint16, body []byte) {
		if len(body) < unix.SizeofIfAddrmsg {
			return
		}
		if i := int(binary.NativeEndian.Uint32(body[4:])); index != 0 && i != index {
			return
		}
		var addr netip.Addr
		for t, v := range attributes(body[unix.SizeofIfAddrmsg:]) {
			a, ok := netip.AddrFromSlice(v)
			if ok && (t == unix.IFA_LOCAL || t == unix.IFA_ADDRESS && !addr.IsValid()) {
				addr = a
			}
		}
		if addr.IsValid() {
			out = append(out, netip.PrefixFrom(addr, int(body[1])))
		}
	})
	return out, err
}

// Routes reads the destinations of the main table's routes, without the
// default one.
func (c *Conn) Routes() ([]netip.Prefix, error) {
	var out []netip.Prefix
	r := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
	r.AddData(nl.NewRtMsg())
	err := c.dump(Request{op: "list routes", msg: r}, func(_ uint16, body []byte) {
		if len(body) < unix.SizeofRtMsg {
			return
		}
		for t, v := range attributes(body[unix.SizeofRtMsg:]) {
			if a, ok := netip.AddrFromSlice(v); ok && t == unix.RTA_DST {
				out = append(out, netip.PrefixFrom(a, int(body[1])))
			}
		}
	})
	return out, err
}

func parseLink(typ uint16, body []byte) (Link, bool) {
	if typ != unix.RTM_NEWLINK || len(body) < unix.SizeofIfInfomsg {
		return Link{}, false
	}
	l := Link{
		Index: int(int32(binary.NativeEndian.Uint32(body[4:]))),
		Up:    binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP != 0,
	}
	for t, v := range attributes(body[unix.SizeofIfInfomsg:]) {
		switch t {
		case unix.IFLA_IFNAME:
			l.Name = text(v)
		case unix.IFLA_IFALIAS:
			l.Alias = text(v)
		case unix.IFLA_ADDRESS:
			l.MAC = append(net.HardwareAddr(nil), v...)
		case unix.IFLA_MASTER:
			if len(v) >= 4 {
				l.Master = int(binary.NativeEndian.Uint32(v))
			}
		case unix.IFLA_LINK:
			if len(v) >= 4 {
				l.Peer = int(binary.NativeEndian.Uint32(v))
			}
		case unix.IFLA_LINKINFO:
			for t, v := range attributes(v) {
				if t == nl.IFLA_INFO_KIND {
					l.Kind = text(v)
				}
			}
		case unix.IFLA_STATS64:
			l.Counters = parseCounters(v)
		}
	}
	return l, true
}

// parseCounters reads the beginning of struct rtnl_link_stats64.
func parseCounters(v []byte) Counters {
	var n [8]uint64
	for i := range n {
		if len(v) >= 8*(i+1) {
			n[i] = binary.NativeEndian.Uint64(v[8*i:])
		}
	}
	return Counters{
		RxPackets: n[0], TxPackets: n[1], RxBytes: n[2], TxBytes: n[3],
		RxErrors: n[4], TxErrors: n[5], RxDropped: n[6], TxDropped: n[7],
	}
}

// text is a string that may end with a zero byte.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
