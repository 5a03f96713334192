package link

import (
	"net"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Veth is a pair of links: one end on the node, which joins a bridge, and its
// peer inside a namespace. Both are up from birth.
type Veth struct {
	Name   string
	Master int // index of the bridge
	MTU    int // bytes
	MAC    net.HardwareAddr

	Peer    string // name inside
	PeerMAC net.HardwareAddr
	PeerNS  *os.File
}

// vethInfoPeer is VETH_INFO_PEER.
const vethInfoPeer = 1

// AddVeth makes the pair.
func AddVeth(v Veth) Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	r.AddData(upInfo(0))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.Name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.MTU))))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, v.MAC))
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(v.Master))))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(vethInfoPeer, nil)
	peer.AddChild(nl.NewIfInfomsg(unix.AF_UNSPEC))
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(v.Peer))
	peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(v.MTU)))
	peer.AddRtAttr(unix.IFLA_ADDRESS, v.PeerMAC)
	peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(v.PeerNS.Fd())))
	r.AddData(info)
	return Request{op: "add veth " + v.Name, msg: r}
}

// Up brings the link of an index up.
func Up(index int) Request {
	r := nl.NewNetlinkRequest(unix.RTM_SETLINK, 0)
	r.AddData(upInfo(index))
	return Request{op: "set link up", msg: r}
}

// SetAlias sets the alias of the link of a name: a free text that says whose
// it is. "" clears it. A link that is gone is no error.
func SetAlias(name, alias string) Request {
	r := nl.NewNetlinkRequest(unix.RTM_SETLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(alias)))
	return Request{op: "set alias of " + name, msg: r, done: []unix.Errno{unix.ENODEV}}
}

// SetMAC changes the hardware address of the link of an index.
func SetMAC(index int, mac net.HardwareAddr) Request {
	r := nl.NewNetlinkRequest(unix.RTM_SETLINK, 0)
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	r.AddData(m)
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac))
	return Request{op: "set hardware address " + mac.String(), msg: r}
}

// SetPort sets how a bridge treats the link of a name, which belongs to one.
// Hairpin lets a frame leave by the port it came from, which a published port
// used by its own instance needs where bridged frames pass the firewall.
// Isolated ports do not reach each other. The bridge learns nothing from a
// port: what it forwards there is said by Forward.
func SetPort(name string, hairpin, isolated bool) Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated("bridge"))
	data := info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil)
	data.AddRtAttr(nl.IFLA_BRPORT_MODE, flag(hairpin))
	data.AddRtAttr(nl.IFLA_BRPORT_ISOLATED, flag(isolated))
	data.AddRtAttr(nl.IFLA_BRPORT_LEARNING, flag(false))
	r.AddData(info)
	return Request{op: "set bridge port " + name, msg: r}
}

func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}

// Delete removes the link of a name; one that is gone is no error. Deleting a
// veth waits for a grace period of the kernel (tens of milliseconds): where
// its namespace can be let go instead, do that.
func Delete(name string) Request {
	r := nl.NewNetlinkRequest(unix.RTM_DELLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	return Request{op: "delete link " + name, msg: r, done: []unix.Errno{unix.ENODEV}}
}

func upInfo(index int) *nl.IfInfomsg {
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	m.Flags = unix.IFF_UP
	m.Change = unix.IFF_UP
	return m
}
