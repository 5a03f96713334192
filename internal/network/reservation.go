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
}

func (r *reservation) release() {
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
		out = append(out, b)
	}
	var rules []nft.Published
	for _, b := range out {
		rules = append(rules, b.rule)
	}
	if err := f.table.Publish(rules...); err != nil {
		return nil, errors.Join(err, f.unpublish(out))
	}
	return out, nil
}

// unpublish ends the redirection before the ports are given back.
func (f *Fabric) unpublish(list []*reservation) error {
	var rules []nft.Published
	for _, b := range list {
		rules = append(rules, b.rule)
	}
	err := f.table.Unpublish(rules...)
	for _, b := range list {
		b.release()
	}
	return err
}

// reachable is the address that published ports lead to: that of the first
// network that may be reached from outside.
func reachable(ports []port) (netip.Addr, error) {
	for _, p := range ports {
		if !p.segment.spec.Internal {
			return p.addr, nil
		}
	}
	return netip.Addr{}, api.Invalid("spec.ports", "ports cannot be published: every network of the instance is internal").
		WithHint("attach it to a network with a way out as well")
}

// reserve binds one port.
func (f *Fabric) reserve(p api.Port, to netip.Addr, field string) (*reservation, error) {
	proto, typ := uint8(unix.IPPROTO_TCP), unix.SOCK_STREAM
	switch p.Protocol {
	case "", "tcp":
		p.Protocol = "tcp"
	case "udp":
		proto, typ = unix.IPPROTO_UDP, unix.SOCK_DGRAM
	default:
		return nil, api.Invalid(field+".protocol", "protocol %q is not tcp or udp", p.Protocol)
	}
	if p.Port == 0 {
		return nil, api.Invalid(field+".port", "the instance's port is missing")
	}
	host := netip.IPv4Unspecified()
	if p.HostIP != "" {
		ip, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			return nil, api.Invalid(field+".hostIP", "%q is not an address", p.HostIP)
		}
		host = ip.Unmap()
	}
	if host.Is4() != to.Is4() {
		return nil, api.Invalid(field+".hostIP", "host address %s cannot lead to %s: they are of different families", host, to)
	}
	fd, chosen, err := bind(typ, host, p.HostPort)
	if err != nil {
		return nil, f.bindError(p, host, field, err)
	}
	p.HostPort = chosen
	return &reservation{
		port: p, socket: fd,
		rule: nft.Published{Protocol: proto, Host: host, HostPort: chosen, To: netip.AddrPortFrom(to, p.Port)},
	}, nil
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
	if err := unix.Bind(fd, sa); err != nil {
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

func as4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

// bindError says who has the port.
func (f *Fabric) bindError(p api.Port, host netip.Addr, field string, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return api.Errorf(api.CodeConflict, "port %d/%s of the node is taken by %s", p.HostPort, p.Protocol, f.holder(p, host)).
			WithHint("publish another port, or port 0 to get a free one").InField(field + ".hostPort")
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return api.Invalid(field+".hostIP", "%s is not an address of the node", host)
	}
	return fmt.Errorf("reserve port %d/%s: %w", p.HostPort, p.Protocol, err)
}

// holder names the instance or the process that has a port.
func (f *Fabric) holder(p api.Port, host netip.Addr) string {
	f.mu.Lock()
	for _, m := range f.members {
		for _, b := range m.published {
			if b.port.HostPort == p.HostPort && b.port.Protocol == p.Protocol {
				f.mu.Unlock()
				return "instance " + m.name
			}
		}
	}
	f.mu.Unlock()
	return listener(p.Protocol, p.HostPort)
}
