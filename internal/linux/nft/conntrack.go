package nft

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ForgetUDP ends what the kernel remembers of datagrams to a port of the node,
// in the caller's network namespace. Without it a client that goes on sending
// would be led by the translation of before.
func ForgetUDP(port uint16) error { return forgetUDP(port, netip.Addr{}) }

// forgetUDP is ForgetUDP for what was led to one address only, when it is valid.
func forgetUDP(port uint16, to netip.Addr) error {
	f := &netlink.ConntrackFilter{}
	err := errors.Join(f.AddProtocol(unix.IPPROTO_UDP), f.AddPort(netlink.ConntrackOrigDstPort, port))
	families := []netlink.InetFamily{unix.AF_INET, unix.AF_INET6}
	if to.IsValid() {
		err = errors.Join(err, f.AddIP(netlink.ConntrackReplySrcIP, to.AsSlice()))
		families = families[version(to) : version(to)+1]
	}
	for _, family := range families {
		if err == nil {
			_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, f)
		}
	}
	if err != nil {
		return fmt.Errorf("forget datagrams to port %d: %w", port, err)
	}
	return nil
}
