package link

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// MaxQueues is how many queues the kernel gives one TAP.
const MaxQueues = 256

// OpenTap makes a TAP in the caller's network namespace and returns its files,
// one for each queue: a frame written to one enters the node by the link, one
// that the node sends by the link is read. The link is down and on no bridge
// yet. It is gone when the last copy of the files is closed, whoever has it.
//
// Each frame has a struct virtio_net_hdr before it, by which a monitor may take
// over checksums and segmentation (TUNSETOFFLOAD, TUNSETVNETHDRSZ on a file).
// Nobody but root and who may administer the network can attach to it by name.
func OpenTap(name string, queues int) (files []*os.File, err error) {
	if queues < 1 || queues > MaxQueues {
		return nil, fmt.Errorf("make tap %s: %d queues, want 1 to %d", name, queues, MaxQueues)
	}
	defer func() {
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, f.Close())
			}
			files = nil
		}
	}()
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if queues > 1 {
		flags |= unix.IFF_MULTI_QUEUE
	}
	for i := range queues {
		first := i == 0
		f, err := openQueue(name, flags, first)
		if err != nil {
			return files, fmt.Errorf("make tap %s: %w", name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// openQueue makes the link when it is the first, which fails when there is one
// of that name, and opens another file of it otherwise.
func openQueue(name string, flags uint16, first bool) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	r, err := unix.NewIfreq(name)
	if err == nil {
		if first {
			flags |= unix.IFF_TUN_EXCL
		}
		r.SetUint16(flags)
		err = os.NewSyscallError("TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, r))
	}
	if err == nil && first {
		// Without an owner everybody may attach.
		err = os.NewSyscallError("TUNSETOWNER", unix.IoctlSetInt(fd, unix.TUNSETOWNER, 0))
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "tap "+name), nil
}

// TapPort is a TAP's place on a bridge.
type TapPort struct {
	Name   string
	Alias  string
	Master int // index of the bridge
	MTU    int // bytes
	MAC    net.HardwareAddr
	// Mute keeps the node from saying anything of its own by the link in IPv6,
	// for the bridge speaks for it. It needs a kernel with IPv6.
	Mute bool
}

// JoinTap puts a TAP on a bridge. It stays down.
func JoinTap(p TapPort) Request {
	r := nl.NewNetlinkRequest(unix.RTM_SETLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(p.Name)))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(p.Alias)))
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(p.MTU))))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, p.MAC))
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(p.Master))))
	if p.Mute {
		const generate, none = 8, 1 // IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE
		spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
		spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(generate, []byte{none})
		r.AddData(spec)
	}
	return Request{op: "set tap " + p.Name, msg: r}
}
