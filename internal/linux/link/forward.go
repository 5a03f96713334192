package link

import (
	"encoding/binary"
	"net"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Forward makes the bridge send frames for a hardware address to the port of
// an index, and to no other that may have had the address before.
func Forward(index int, mac net.HardwareAddr) Request {
	r := nl.NewNetlinkRequest(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	r.AddData(neighbour(index))
	r.AddData(nl.NewRtAttr(unix.NDA_LLADDR, mac))
	return Request{op: "forward " + mac.String(), msg: r}
}

// neighbour is struct ndmsg for a static entry of the bridge.
func neighbour(index int) raw {
	b := make([]byte, 12)
	b[0] = unix.AF_BRIDGE
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint16(b[8:], unix.NUD_NOARP)
	b[10] = unix.NTF_MASTER
	return b
}

// raw is a part of a message that is encoded already.
type raw []byte

func (r raw) Len() int          { return len(r) }
func (r raw) Serialize() []byte { return r }
