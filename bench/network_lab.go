package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// lab is a network made by hand: two ends on a bridge, as bare as it can be. It
// is what the kernel gives. The ends are in the namespaces of instances without
// a network, so that whoever sends there is confined as all instances are and
// just the network differs.
type lab struct {
	node, a, b            *os.File // node has the bridge
	inside                string   // name of the ends' links
	gateway, addrA, addrB netip.Addr
}

// labBridge is the name of a lab's bridge.
const labBridge = "bench0"

// newLab joins two namespaces, which are the lab's from then on, by a bridge in a
// third one: beside virga's bridges in the given one, where frames meet the tables
// of that namespace, or in a new one without any when beside is nil. The ends may
// be in both kinds. A bridge beside virga's goes with its namespace.
func newLab(a, b, beside *os.File) (_ *lab, err error) {
	l := &lab{
		a: a, b: b, inside: "eth0",
		gateway: netip.MustParseAddr("192.0.2.1"), addrA: netip.MustParseAddr("192.0.2.2"), addrB: netip.MustParseAddr("192.0.2.3"),
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if beside != nil {
		l.inside = "eth1"
		l.gateway, l.addrA, l.addrB = netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.3")
		err = namespace.In(beside, func() (err error) { l.node, err = namespace.Own(); return err })
	} else {
		l.node, err = namespace.NewNet()
	}
	if err != nil {
		return nil, err
	}
	c, err := link.Open(l.node)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Do(link.Up(1), link.AddBridge(labBridge, 1500, net.HardwareAddr{2, 0, 0, 0, 0, 1})); err != nil {
		return nil, err
	}
	bridge, err := c.ByName(labBridge)
	if err != nil {
		return nil, err
	}
	if err := c.Do(link.AddAddress(bridge.Index, netip.PrefixFrom(l.gateway, 24))); err != nil {
		return nil, err
	}
	return l, errors.Join(l.join(c, bridge.Index, labBridge+"a", l.a, l.addrA), l.join(c, bridge.Index, labBridge+"b", l.b, l.addrB))
}

// join connects a namespace to the bridge.
func (l *lab) join(c *link.Conn, bridge int, name string, ns *os.File, addr netip.Addr) error {
	last := addr.As4()[3]
	v := link.Veth{
		Name: name, Master: bridge, MTU: 1500, MAC: net.HardwareAddr{2, 0, 0, 0, 1, last},
		Peer: l.inside, PeerMAC: net.HardwareAddr{2, 0, 0, 0, 2, last}, PeerNS: ns,
	}
	if err := c.Do(link.AddVeth(v)); err != nil {
		return err
	}
	in, err := link.Open(ns)
	if err != nil {
		return err
	}
	defer in.Close()
	eth, err := in.ByName(l.inside)
	if err != nil {
		return err
	}
	return in.Do(link.Up(1), link.Up(eth.Index), link.AddAddress(eth.Index, netip.PrefixFrom(addr, 24)))
}

func (l *lab) close() {
	for _, ns := range []*os.File{l.node, l.a, l.b} {
		if ns != nil {
			ns.Close()
		}
	}
}

// startIn starts a program in a network namespace; nil is the node's.
func startIn(ns *os.File, cmd *exec.Cmd) error { return namespace.In(ns, cmd.Start) }

// tryConnect opens a TCP connection from a namespace and closes it.
func tryConnect(ns *os.File, at netip.AddrPort) error {
	return namespace.In(ns, func() error {
		// Not by net.Dial, which may go on in another thread.
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
	})
}
