package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// reservation is a published port: the rule, and a bound socket that keeps
// other programs of the node from taking the port. Nothing ever arrives at the
// socket, because the rule redirects it before.
type reservation struct {
	port   api.Port // with the host port chosen
	rule   nft.Published
	socket int // -1 when the port is held by nobody, after a restart
	// twin says that it is the IPv6 side of the reservation before it, and no
	// port of its own to the user.
	twin bool
	// loopback serves programs of the node at [::1], or is nil.
	loopback *loopback
}

func (r *reservation) release() {
	if r.loopback != nil {
		r.loopback.close()
		r.loopback = nil
	}
	if r.socket >= 0 {
		unix.Close(r.socket)
		r.socket = -1
	}
}

// publish reserves the ports of an instance and redirects them to it.
func (f *Fabric) publish(r Request, ports []port) ([]*reservation, error) {
	if len(r.Ports) == 0 {
		return nil, nil
	}
	to, err := reachable(ports)
	if err != nil {
		return nil, err
	}
	var out []*reservation
	for i, p := range r.Ports {
		b, err := f.reserve(p, to, fmt.Sprintf("spec.ports[%d]", i))
		if err != nil {
			for _, b := range out {
				b.release()
			}
			return nil, err
		}
		out = append(out, b...)
	}
	var rules []nft.Published
	for _, b := range out {
		rules = append(rules, b.rule)
	}
	f.mu.Lock()
	stale := f.left.claimHostPorts(rules)
	f.mu.Unlock()
	if err := errors.Join(f.table.Unpublish(stale...), f.table.Publish(rules...)); err != nil {
		return nil, errors.Join(err, f.unpublish(out))
	}
	f.forgetUDP(rules)
	return out, nil
}

// forgetUDP lets clients that go on sending follow a change at once; TCP's
// notice by themselves.
func (f *Fabric) forgetUDP(rules []nft.Published) {
	for _, r := range rules {
		if r.Protocol != unix.IPPROTO_UDP {
			continue
		}
		if err := nft.ForgetUDP(r.HostPort); err != nil {
			f.config.Log.Warn("clients may be led to an old address", "err", err)
		}
	}
}

// unpublish ends the redirection before the ports are given back.
func (f *Fabric) unpublish(list []*reservation) error {
	var rules []nft.Published
	for _, b := range list {
		rules = append(rules, b.rule)
	}
	err := f.table.Unpublish(rules...)
	f.forgetUDP(rules)
	for _, b := range list {
		b.release()
	}
	return err
}

// reachable is where published ports lead to: the first network that may be
// reached from outside.
func reachable(ports []port) (port, error) {
	for _, p := range ports {
		if !p.segment.spec.Internal {
			return p, nil
		}
	}
	return port{}, api.Invalid("spec.ports", "ports cannot be published: every network of the instance is internal").
		WithHint("attach it to a network with a way out as well")
}

// chooseTries is how often a free port of one family is looked for that is
// free in the other too.
const chooseTries = 16

// reserve binds one port: in both families unless an address is named.
func (f *Fabric) reserve(p api.Port, to port, field string) ([]*reservation, error) {
	rules, err := redirections(p, to, field)
	if err != nil {
		return nil, err
	}
	if p.Protocol == "" {
		p.Protocol = "tcp"
	}
	for try := 1; ; try++ {
		out, err := f.bindAll(p, rules, field)
		if err == nil || p.HostPort != 0 || try == chooseTries {
			return out, err
		}
	}
}

func (f *Fabric) bindAll(p api.Port, rules []nft.Published, field string) ([]*reservation, error) {
	var out []*reservation
	for i, rule := range rules {
		rule.HostPort = p.HostPort
		fd, chosen, err := bind(socketType(rule.Protocol), rule.Host, rule.HostPort)
		if err != nil {
			for _, b := range out {
				b.release()
			}
			return nil, f.bindError(p, rule, field, err)
		}
		rule.HostPort, p.HostPort = chosen, chosen
		out = append(out, &reservation{port: p, rule: rule, socket: fd, twin: i > 0})
		if err := out[i].carry(); err != nil {
			for _, b := range out {
				b.release()
			}
			return nil, fmt.Errorf("publish port %d: %w", chosen, err)
		}
	}
	return out, nil
}

// redirections are the rules that publish a port.
func redirections(p api.Port, to port, field string) ([]nft.Published, error) {
	host := netip.IPv4Unspecified()
	if p.HostIP != "" {
		ip, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			return nil, api.Invalid(field+".hostIP", "%q is not an address", p.HostIP)
		}
		host = ip.Unmap()
	}
	if host.Is6() {
		if !to.addr6.IsValid() {
			return nil, api.Invalid(field+".hostIP", "host address %s cannot lead to network %s, which has no IPv6", host, to.segment.name)
		}
		r, err := redirection(p, host, to.addr6, field)
		return []nft.Published{r}, err
	}
	r, err := redirection(p, host, to.addr, field)
	if err != nil || p.HostIP != "" || !to.addr6.IsValid() {
		return []nft.Published{r}, err
	}
	r6, err := redirection(p, netip.IPv6Unspecified(), to.addr6, field)
	return []nft.Published{r, r6}, err
}

func redirection(p api.Port, host, to netip.Addr, field string) (nft.Published, error) {
	r := nft.Published{Protocol: unix.IPPROTO_TCP, Host: host, HostPort: p.HostPort, To: netip.AddrPortFrom(to, p.Port)}
	switch p.Protocol {
	case "", "tcp":
	case "udp":
		r.Protocol = unix.IPPROTO_UDP
	default:
		return r, api.Invalid(field+".protocol", "protocol %q is not tcp or udp", p.Protocol)
	}
	if p.Port == 0 {
		return r, api.Invalid(field+".port", "the instance's port is missing")
	}
	return r, nil
}

func socketType(protocol uint8) int {
	if protocol == unix.IPPROTO_UDP {
		return unix.SOCK_DGRAM
	}
	return unix.SOCK_STREAM
}

// bind holds a port without listening on it; port 0 picks one.
func bind(typ int, host netip.Addr, port uint16) (int, uint16, error) {
	family := unix.AF_INET
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(port), Addr: as4(host)}
	if host.Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(port), Addr: host.As16()}
	}
	fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, os.NewSyscallError("socket", err)
	}
	if host.Is6() {
		if err := socket6(fd, typ, host); err != nil {
			unix.Close(fd)
			return -1, 0, os.NewSyscallError("setsockopt", err)
		}
	}
	err = unix.Bind(fd, sa)
	if errors.Is(err, unix.EADDRINUSE) && typ == unix.SOCK_STREAM && family == unix.AF_INET {
		err = bindOver(fd, sa, port)
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, os.NewSyscallError("bind", err)
	}
	got, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return -1, 0, os.NewSyscallError("getsockname", err)
	}
	switch a := got.(type) {
	case *unix.SockaddrInet4:
		port = uint16(a.Port)
	case *unix.SockaddrInet6:
		port = uint16(a.Port)
	}
	return fd, port, nil
}

// bindOver binds a stream socket of IPv4 to a port that connections of before
// may still be waiting at for their last packets, for a minute after the node's
// end has closed them. SO_REUSEADDR allows that, but would as well allow the
// next one who has it, as the socket does not listen. So it is taken off again,
// and a socket without it is in the port's bucket first: that turns off the
// short cut by which the kernel lets sockets that all have it bind unseen.
func bindOver(fd int, sa unix.Sockaddr, port uint16) error {
	first, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(first)
	// An address of the loopback link that no program has used.
	if err := unix.Bind(first, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 86, 71, 1}}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return errors.Join(
		unix.SetsockoptInt(first, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, sa),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0),
	)
}

func as4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

// bindError says who has the port.
func (f *Fabric) bindError(p api.Port, r nft.Published, field string, err error) error {
	name := fmt.Sprintf("%d/%s", p.HostPort, portOf(r).Protocol)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return api.Errorf(api.CodeConflict, "port %s of the node is taken by %s", name, f.holder(r)).
			WithHint("publish another port, or port 0 to get a free one").InField(field + ".hostPort")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return api.Invalid(field+".hostIP", "%s is not an address of the node", r.Host)
	}
	return fmt.Errorf("reserve port %s: %w", name, err)
}

// holder names the instance or the process that has a port.
func (f *Fabric) holder(r nft.Published) string {
	if name := f.publisher(r); name != "" {
		return "instance " + name
	}
	return listener(portOf(r).Protocol, r.HostPort)
}

func (f *Fabric) publisher(r nft.Published) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		for _, b := range m.published {
			if b.rule.HostPort == r.HostPort && b.rule.Protocol == r.Protocol {
				return m.name
			}
		}
	}
	return ""
}

// socket6 leaves IPv4 to a socket of its own. A stream socket listens for
// [::1], so connections of before may still be waiting for their last packets;
// it keeps others away all the same by listening.
func socket6(fd, typ int, host netip.Addr) error {
	err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	if err == nil && typ == unix.SOCK_STREAM && (host.IsUnspecified() || host.IsLoopback()) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	return err
}
