package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

var (
	guardMAC  = net.HardwareAddr{2, 0x76, 10, 9, 0, 2}
	otherMAC  = net.HardwareAddr{2, 0x76, 10, 9, 0, 3}
	guardIP   = netip.MustParseAddr("10.9.0.2")
	otherIP   = netip.MustParseAddr("10.9.0.3")
	guardIP6  = netip.MustParseAddr("fd09::2")
	otherIP6  = netip.MustParseAddr("fd09::3")
	anyIP     = netip.IPv4Unspecified()
	anyIP6    = netip.IPv6Unspecified()
	guardLL   = netip.MustParseAddr("fe80::76:aff:fe09:2")
	strangeLL = netip.MustParseAddr("fe80::1")
)

// wire is a bridge with a guarded link and one that is not virga's, each into a
// namespace of its own, and a third that hears what the bridge floods.
type wire struct {
	guarded, foreign, ear int // sockets that send and hear raw frames
	link                  int // index of the guarded link
}

func newWire(t *testing.T) *wire {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	c, err := link.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Do(link.AddBridge("br9", 1500, net.HardwareAddr{2, 0, 0, 0, 0, 9})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c, err := link.Open(nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if err := c.Do(link.Delete("br9"), link.Delete("guarded"), link.Delete("foreign"), link.Delete("ear")); err != nil {
			t.Error(err)
		}
	})
	br, err := c.ByName("br9")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	for i, end := range []struct {
		name string
		fd   *int
	}{{"guarded", &w.guarded}, {"foreign", &w.foreign}, {"ear", &w.ear}} {
		ns, err := namespace.NewNet()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ns.Close() })
		v := link.Veth{Name: end.name, Master: br.Index, MTU: 1500, MAC: net.HardwareAddr{2, 0, 0, 0, 1, byte(i)},
			Peer: "eth0", PeerMAC: net.HardwareAddr{2, 0, 0, 0, 2, byte(i)}, PeerNS: ns}
		if err := c.Do(link.AddVeth(v)); err != nil {
			t.Fatal(err)
		}
		if *end.fd, err = rawSocket(ns); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(*end.fd) })
	}
	l, err := c.ByName("guarded")
	if err != nil {
		t.Fatal(err)
	}
	w.link = l.Index
	w.await(t, w.guarded)
	w.await(t, w.foreign)
	return w
}

// await returns when the bridge carries what an end sends: a port takes part a
// moment after its link has come up.
func (w *wire) await(t *testing.T, from int) {
	t.Helper()
	hello := ethernet(otherMAC, 0x88b5, fmt.Appendf(nil, "hello %d", from))
	tv := unix.NsecToTimeval(int64(10 * time.Millisecond))
	if err := unix.SetsockoptTimeval(w.ear, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2048)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		_, _ = unix.Write(from, hello) // not yet up
		for {
			n, err := unix.Read(w.ear, b)
			if err != nil {
				break
			}
			if slices.Equal(b[:n], hello) {
				return
			}
		}
	}
	t.Fatal("the bridge carries nothing")
}

// rawSocket sends and receives whole frames at eth0 of a namespace.
func rawSocket(ns *os.File) (fd int, err error) {
	err = namespace.In(ns, func() error {
		c, err := link.Open(nil)
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := c.ByName("eth0")
		if err != nil {
			return err
		}
		// The kernel is not to say anything of its own there.
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := c.Do(link.Up(l.Index)); err != nil {
			return err
		}
		all := int(binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}))
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL}), Ifindex: l.Index})
	})
	return fd, err
}

// passes sends a frame and says whether the ear hears it. A frame by the
// foreign link, which passes always, tells when to stop listening.
func (w *wire) passes(t *testing.T, from int, frame []byte) bool {
	t.Helper()
	if _, err := unix.Write(from, frame); err != nil {
		t.Fatal(err)
	}
	end := ethernet(otherMAC, 0x88b5, []byte(fmt.Sprintf("end %d", time.Now().UnixNano())))
	if _, err := unix.Write(w.foreign, end); err != nil {
		t.Fatal(err)
	}
	tv := unix.NsecToTimeval(int64(10 * time.Second))
	if err := unix.SetsockoptTimeval(w.ear, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		t.Fatal(err)
	}
	heard := false
	for b := make([]byte, 2048); ; {
		n, err := unix.Read(w.ear, b)
		if err != nil {
			t.Fatalf("nothing is heard: %v", err)
		}
		if slices.Equal(b[:n], frame) {
			heard = true
		}
		if slices.Equal(b[:n], end) {
			return heard
		}
	}
}

func ethernet(from net.HardwareAddr, typ uint16, body []byte) []byte {
	b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, from...)
	b = binary.BigEndian.AppendUint16(b, typ)
	b = append(b, body...)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

func arpFrame(mac, sender net.HardwareAddr, ip netip.Addr) []byte {
	body := append([]byte{0, 1, 8, 0, 6, 4, 0, 2}, sender...)
	body = append(body, ip.AsSlice()...)
	return ethernet(mac, unix.ETH_P_ARP, append(body, make([]byte, 10)...))
}

// udpFrame is a datagram that fills the smallest frame: bridges that look into
// packets cut what is behind them off.
func udpFrame(mac net.HardwareAddr, from netip.Addr, port uint16) []byte {
	b := []byte{0x45, 0, 0, 46, 0, 1, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	b = append(append(b, from.AsSlice()...), 255, 255, 255, 255)
	binary.BigEndian.PutUint16(b[10:], ^onesSum(b))
	b = binary.BigEndian.AppendUint16(b, 68)
	b = binary.BigEndian.AppendUint16(b, port)
	return ethernet(mac, unix.ETH_P_IP, append(append(b, 0, 26, 0, 0), make([]byte, 18)...))
}

// dhcpFrame is a question of a client that has no address yet, about a hardware
// address.
func dhcpFrame(mac, about net.HardwareAddr) []byte {
	b := udpFrame(mac, anyIP, 67)[:14+28]
	message := slices.Concat([]byte{1, 1, 6, 0}, make([]byte, 24), about, make([]byte, 10+192), []byte{99, 130, 83, 99, 53, 1, 1, 255})
	binary.BigEndian.PutUint16(b[14+2:], uint16(28+len(message)))
	binary.BigEndian.PutUint16(b[14+10:], 0)
	binary.BigEndian.PutUint16(b[14+10:], ^onesSum(b[14:34]))
	binary.BigEndian.PutUint16(b[14+24:], uint16(8+len(message)))
	return append(b, message...)
}

func onesSum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum&0xffff + sum>>16
	return uint16(sum + sum>>16)
}

// udp6Frame is a datagram in IPv6.
func udp6Frame(mac net.HardwareAddr, from netip.Addr, port uint16) []byte {
	b := []byte{0x60, 0, 0, 0, 0, 8, unix.IPPROTO_UDP, 255}
	b = append(append(b, from.AsSlice()...), netip.MustParseAddr("ff02::1").AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, 547)
	b = binary.BigEndian.AppendUint16(b, port)
	return ethernet(mac, unix.ETH_P_IPV6, append(b, 0, 8, 0, 0))
}

// icmpFrame is an ICMPv6 message that speaks of a target, behind a header of
// options when hidden.
func icmpFrame(mac net.HardwareAddr, from netip.Addr, typ byte, target netip.Addr, hidden bool) []byte {
	message := append([]byte{typ, 0, 0, 0, 0, 0, 0, 0}, target.AsSlice()...)
	next := byte(unix.IPPROTO_ICMPV6)
	if hidden {
		message = append([]byte{unix.IPPROTO_ICMPV6, 0, 1, 4, 0, 0, 0, 0}, message...)
		next = 60 // destination options
	}
	b := []byte{0x60, 0, 0, 0, 0, byte(len(message)), next, 255}
	b = append(append(b, from.AsSlice()...), netip.MustParseAddr("ff02::1").AsSlice()...)
	return ethernet(mac, unix.ETH_P_IPV6, append(b, message...))
}

func TestGuardDropsWhatPretends(t *testing.T) {
	w := newWire(t)
	g, err := OpenGuard("virga-guard-test", func(int) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Delete(); err != nil {
			t.Error(err)
		}
		g.Close()
	})
	own := Guarded{Link: w.link, MAC: guardMAC, Addrs: []netip.Addr{guardIP, guardIP6}}
	for range 2 {
		if err := g.Put(own); err != nil {
			t.Fatal(err)
		}
	}
	vlan := func(frame []byte) []byte {
		return slices.Concat(frame[:12], []byte{0x81, 0, 0, 5}, frame[12:])
	}
	tests := []struct {
		name  string
		frame []byte
		why   Reason // 0 passes
	}{
		{"own IPv4", udpFrame(guardMAC, guardIP, 9), 0},
		{"own IPv6", icmpFrame(guardMAC, guardIP6, 128, guardIP6, false), 0},
		{"own link-local", icmpFrame(guardMAC, guardLL, 128, guardIP6, false), 0},
		{"own ARP", arpFrame(guardMAC, guardMAC, guardIP), 0},
		{"ARP probe", arpFrame(guardMAC, guardMAC, anyIP), 0},
		{"DHCP", dhcpFrame(guardMAC, guardMAC), 0},
		{"DHCPv6", udp6Frame(guardMAC, guardLL, 547), 0},
		{"duplicate address detection", icmpFrame(guardMAC, anyIP6, neighbourSolicitation, guardIP6, false), 0},
		{"router solicitation", icmpFrame(guardMAC, guardLL, routerSolicitation, guardIP6, false), 0},
		{"own advertisement", icmpFrame(guardMAC, guardIP6, neighbourAdvertisement, guardIP6, false), 0},

		{"another MAC", udpFrame(otherMAC, guardIP, 9), SpoofedMAC},
		{"another MAC, no protocol", ethernet(otherMAC, 0x88b5, nil), SpoofedMAC},
		{"another IPv4", udpFrame(guardMAC, otherIP, 9), SpoofedAddress},
		{"no IPv4 and not DHCP", udpFrame(guardMAC, anyIP, 9), SpoofedAddress},
		{"DHCP for another", dhcpFrame(guardMAC, otherMAC), SpoofedAddress},
		{"no IPv4 and no DHCP", udpFrame(guardMAC, anyIP, 67), SpoofedAddress},
		{"DHCP server", udpFrame(guardMAC, guardIP, 68), SpoofedAnnouncement},
		{"DHCPv6 server", udp6Frame(guardMAC, guardLL, 546), SpoofedAnnouncement},
		{"another IPv6", icmpFrame(guardMAC, otherIP6, 128, guardIP6, false), SpoofedAddress},
		{"another link-local", icmpFrame(guardMAC, strangeLL, 128, guardIP6, false), SpoofedAddress},
		{"ARP for another", arpFrame(guardMAC, guardMAC, otherIP), SpoofedAnnouncement},
		{"ARP of another", arpFrame(guardMAC, otherMAC, guardIP), SpoofedAnnouncement},
		{"advertisement for another", icmpFrame(guardMAC, guardIP6, neighbourAdvertisement, otherIP6, false), SpoofedAnnouncement},
		{"the same behind options", icmpFrame(guardMAC, guardIP6, neighbourAdvertisement, otherIP6, true), SpoofedAnnouncement},
		{"router advertisement", icmpFrame(guardMAC, guardLL, routerAdvertisement, guardIP6, false), SpoofedAnnouncement},
		{"redirect", icmpFrame(guardMAC, guardLL, redirectMessage, guardIP6, false), SpoofedAnnouncement},
		{"another protocol", ethernet(guardMAC, 0x88b5, nil), StrangeProtocol},
		{"another IPv4 in a VLAN", vlan(udpFrame(guardMAC, otherIP, 9)), SpoofedAddress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := dropped(t, g, w.link)
			if got := w.passes(t, w.guarded, tt.frame); got != (tt.why == 0) {
				t.Errorf("passes: %t, want %t", got, tt.why == 0)
			}
			after := dropped(t, g, w.link)
			for r := SpoofedMAC; r <= StrangeProtocol; r++ {
				n := after[r].Packets - before[r].Packets
				if r == tt.why && n == 0 || r != tt.why && n != 0 {
					t.Errorf("counted %d for reason %s", n, r.chain())
				}
			}
			// Other programs' links are nobody's business.
			if tt.why != 0 && tt.name != "another IPv4 in a VLAN" && !w.passes(t, w.foreign, tt.frame) {
				t.Error("a foreign link is guarded")
			}
		})
	}
	t.Run("flushed", func(t *testing.T) {
		g.table.conn.DelTable(g.nft())
		if err := g.table.conn.Flush(); err != nil {
			t.Fatal(err)
		}
		if !w.passes(t, w.guarded, udpFrame(guardMAC, otherIP, 9)) {
			t.Fatal("the table is still there")
		}
		if repaired, err := g.Repair(); err != nil || !repaired {
			t.Fatalf("repaired %t, %v", repaired, err)
		}
		if w.passes(t, w.guarded, udpFrame(guardMAC, otherIP, 9)) {
			t.Error("not guarded any more")
		}
		for range 2 {
			if repaired, err := g.Repair(); err != nil || repaired {
				t.Errorf("repaired %t again, %v", repaired, err)
			}
		}
	})
	t.Run("another daemon", func(t *testing.T) {
		next, err := OpenGuard("virga-guard-test", func(l int) bool { return l == w.link })
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		if w.passes(t, w.guarded, udpFrame(guardMAC, otherIP, 9)) || !w.passes(t, w.guarded, udpFrame(guardMAC, guardIP, 9)) {
			t.Error("the guard was lost")
		}
		moved := own
		moved.Addrs = []netip.Addr{otherIP}
		if err := next.Put(moved); err != nil {
			t.Fatal(err)
		}
		if w.passes(t, w.guarded, udpFrame(guardMAC, guardIP, 9)) || !w.passes(t, w.guarded, udpFrame(guardMAC, otherIP, 9)) {
			t.Error("the address before is still its own")
		}
		if err := next.Remove(w.link, 4711); err != nil {
			t.Fatal(err)
		}
		if !w.passes(t, w.guarded, udpFrame(guardMAC, guardIP, 9)) {
			t.Error("a link that was given up is guarded")
		}
	})
}

// dropped is what was counted of a link.
func dropped(t *testing.T, g *Guard, link int) map[Reason]Count {
	t.Helper()
	all, err := g.Dropped()
	if err != nil {
		t.Fatal(err)
	}
	return all[link]
}

// A guard that is full refuses another address, says why, and goes on as it was.
func TestGuardIsFull(t *testing.T) {
	g, err := OpenGuard("virga-guard-full", func(int) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Delete(); err != nil {
			t.Error(err)
		}
		g.Close()
	})
	full := Guarded{Link: 7, MAC: guardMAC}
	for i := range maxSenders {
		full.Addrs = append(full.Addrs, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if err := g.Put(full); err != nil {
		t.Fatal(err)
	}
	one := Guarded{Link: 8, MAC: otherMAC, Addrs: []netip.Addr{otherIP}}
	if err := g.Put(one); err == nil || !strings.Contains(err.Error(), "more than 32768 addresses") {
		t.Fatalf("one more address: %v", err)
	}
	if err := g.Remove(full.Link); err != nil {
		t.Fatal(err)
	}
	if err := g.Put(one); err != nil {
		t.Fatal(err)
	}
}
