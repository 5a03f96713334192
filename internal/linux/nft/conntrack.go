package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

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

// Connections counts the TCP connections that were led to the given ones, in
// the caller's network namespace: those on which one side at least may still
// send. What went to them directly is not counted. It reads the kernel's whole
// table of each family that they are of, which takes about a microsecond for
// each entry.
func Connections(to []netip.AddrPort) (int, error) {
	total := 0
	for v, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if !slices.ContainsFunc(to, func(a netip.AddrPort) bool { return version(a.Addr()) == v }) {
			continue
		}
		n, err := connections(family, to)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func connections(family netlink.InetFamily, to []netip.AddrPort) (int, error) {
	flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
	n := 0
	for _, f := range flows {
		if state, ok := led(f, to); ok && mayCarry(state) {
			n++
		}
	}
	if errors.Is(err, netlink.ErrDumpInterrupted) && n == 0 {
		return 1, nil // the table changed meanwhile: there may be one that was not seen
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return 0, fmt.Errorf("list connections: %w", err)
	}
	return n, nil
}

// ForgetEnded ends what the kernel remembers of TCP connections that were led
// to the given ones and have ended, in the caller's network namespace. It would
// lead a client there for two minutes more that comes from the same port again.
func ForgetEnded(to []netip.AddrPort) error {
	var errs []error
	for v, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		if slices.ContainsFunc(to, func(a netip.AddrPort) bool { return version(a.Addr()) == v }) {
			_, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, ended(to))
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("forget connections that have ended: %w", err)
	}
	return nil
}

// ended matches the connections that ForgetEnded forgets.
type ended []netip.AddrPort

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (e ended) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	state, ok := led(f, e)
	return ok && !mayCarry(state)
}

// led says whether f is a TCP connection that was led to one of the given ones,
// and its state.
func led(f *netlink.ConntrackFlow, to []netip.AddrPort) (state uint8, ok bool) {
	from, ok := netip.AddrFromSlice(f.Reverse.SrcIP)
	at := netip.AddrPortFrom(from.Unmap(), f.Reverse.SrcPort)
	if !ok || f.Forward.Protocol != unix.IPPROTO_TCP || !slices.Contains(to, at) {
		return 0, false
	}
	direct := f.Forward.DstIP.Equal(f.Reverse.SrcIP) && f.Forward.DstPort == f.Reverse.SrcPort
	tcp, known := f.ProtoInfo.(*netlink.ProtoInfoTCP)
	if direct || !known {
		return 0, false
	}
	return tcp.State, true
}

// mayCarry says whether a connection in a state of the kernel's
// (enum tcp_conntrack) may still carry data.
func mayCarry(state uint8) bool {
	const synSent, closeWait = 1, 5
	return synSent <= state && state <= closeWait
}
