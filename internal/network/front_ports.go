package network

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/virga-cloud/virga/internal/linux/nft"
)

// hostPort is a port of the node that the kernel balances, in one family.
type hostPort struct {
	protocol uint8
	v6       bool
	port     uint16
}

// rule is the port as a published one, for every address of its family.
func (p hostPort) rule() nft.Published {
	host := netip.IPv4Unspecified()
	if p.v6 {
		host = netip.IPv6Unspecified()
	}
	return nft.Published{Protocol: p.protocol, Host: host, HostPort: p.port}
}

// balanced are the ports and addresses that the kernel is to know. The node's
// ports among them are held, so that nobody else takes them.
//
// +checklocks:f.fronts.setting
func (f *Fabric) balanced(next map[string]heldFront, problems map[string]error) (ports []nft.Balanced, addrs []netip.Addr) {
	used := map[hostPort]bool{}
	for id, h := range next {
		addrs = append(addrs, h.front.addrs()...)
		for _, b := range h.front.Balanced {
			if b.At.Addr().IsUnspecified() {
				p := hostPort{b.Protocol, b.At.Addr().Is6(), b.At.Port()}
				if err := f.holdFront(p); err != nil {
					problems[id] = err
					continue
				}
				used[p] = true
			}
			ports = append(ports, b)
		}
	}
	for p, r := range f.fronts.sockets {
		if !used[p] {
			r.release()
			delete(f.fronts.sockets, p)
		}
	}
	return ports, addrs
}

// holdFront binds a port of the node that the kernel balances. What arrives at
// [::1] all the same, where the kernel leads nothing to, is carried on by IPv4.
//
// +checklocks:f.fronts.setting
func (f *Fabric) holdFront(p hostPort) error {
	if _, ok := f.fronts.sockets[p]; ok {
		return nil
	}
	rule := p.rule()
	fd, _, err := bind(socketType(p.protocol), rule.Host, p.port)
	if err != nil {
		return f.portTaken(p, err)
	}
	rule.To = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), p.port)
	r := &reservation{rule: rule, socket: fd}
	if err := r.carry(); err != nil {
		r.release()
		return fmt.Errorf("hold port %d: %w", p.port, err)
	}
	f.fronts.sockets[p] = r
	return nil
}

// portTaken says who has a port of the node.
func (f *Fabric) portTaken(p hostPort, err error) error {
	rule := p.rule()
	return f.bindError(portOf(rule), rule, "spec.ports", err)
}

// TryPort finds out whether a port of the node is free for a service.
func (f *Fabric) TryPort(protocol string, port uint16) error {
	p := hostPort{protocol: syscall.IPPROTO_TCP, port: port}
	if protocol == "udp" {
		p.protocol = syscall.IPPROTO_UDP
	}
	for _, p.v6 = range []bool{false, true} {
		if p.v6 && !f.config.ipv6 {
			continue
		}
		fd, _, err := bind(socketType(p.protocol), p.rule().Host, port)
		if err != nil {
			return f.portTaken(p, err)
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	return nil
}
