package link

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Packets sends IP packets to hardware addresses by the links of one network
// namespace, for receivers that have no IP address yet. It receives nothing.
// It is safe for concurrent use.
type Packets struct{ fd int }

// OpenPackets makes it in the caller's network namespace.
func OpenPackets() (*Packets, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	return &Packets{fd}, nil
}

// Close closes the socket. Nothing may be sent meanwhile or after.
func (p *Packets) Close() error { return unix.Close(p.fd) }

// Send sends an IPv4 packet to a hardware address by the link of an index. It
// does not block: what the link cannot take now is an error.
func (p *Packets) Send(index int, to net.HardwareAddr, packet []byte) error {
	ipv4 := binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff}) // as on the wire
	sa := unix.SockaddrLinklayer{Protocol: ipv4, Ifindex: index, Halen: 6}
	copy(sa.Addr[:6], to)
	return os.NewSyscallError("sendto", unix.Sendto(p.fd, packet, unix.MSG_DONTWAIT, &sa))
}
