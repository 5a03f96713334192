package nft

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ForgetUDP ends what the kernel remembers of datagrams to a port of the node,
// in the caller's network namespace. Without it a client that goes on sending
// would be led by the translation of before.
func ForgetUDP(port uint16) error {
	f := &netlink.ConntrackFilter{}
	if err := f.AddProtocol(unix.IPPROTO_UDP); err != nil {
		return fmt.Errorf("forget datagrams to port %d: %w", port, err)
	}
	if err := f.AddPort(netlink.ConntrackOrigDstPort, port); err != nil {
		return fmt.Errorf("forget datagrams to port %d: %w", port, err)
	}
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, f); err != nil {
			return fmt.Errorf("forget datagrams to port %d: %w", port, err)
		}
	}
	return nil
}
