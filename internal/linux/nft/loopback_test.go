package nft

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/link"
)

var loopback4 = netip.MustParseAddr("127.0.0.1")

// ledTo is where the published port of the test is led.
const ledTo = 10

// ipFrame is a packet from an instance to an address of the node, sent to the
// bridge of a wire.
func ipFrame(protocol byte, to netip.Addr, body []byte) []byte {
	b := []byte{0x45, 0, 0, byte(20 + len(body)), 0, 1, 0, 0, 64, protocol, 0, 0}
	b = append(append(b, otherIP.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], ^onesSum(b))
	frame := ethernet(otherMAC, unix.ETH_P_IP, append(b, body...))
	copy(frame, []byte{2, 0, 0, 0, 0, 9})
	return frame
}

// TestNothingFromABridgeReachesLoopback sends to 127.0.0.1 by a bridge that has
// route_localnet, as those of published ports have.
func TestNothingFromABridgeReachesLoopback(t *testing.T) {
	w := newWire(t)
	c, err := link.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	br, err := c.ByName("br9")
	if err != nil {
		t.Fatal(err)
	}
	gateway := netip.MustParseAddr("10.9.0.1")
	if err := c.Do(link.Up(1), link.AddAddress(br.Index, netip.PrefixFrom(gateway, 24))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/br9/route_localnet", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	table, err := Open("virga-loopback-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Delete(); err != nil {
			t.Error(err)
		}
		table.Close()
	})
	udp := append([]byte{0, 9, 0, 9, 0, 26, 0, 0}, make([]byte, 18)...)
	reply := append([]byte{0, 0, 0, 0, 0, 7, 0, 7}, make([]byte, 18)...) // an echo that nobody asked for
	binary.BigEndian.PutUint16(reply[2:], ^onesSum(reply))
	tests := []struct {
		name     string
		protocol byte
		body     []byte
	}{
		{"opens a connection", unix.IPPROTO_UDP, udp},
		{"belongs to no connection", unix.IPPROTO_ICMP, reply},
	}
	for _, guarded := range []bool{false, true} {
		if guarded {
			if err := table.Set([]Network{{Bridge: "br9", Subnets: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/24")}}}); err != nil {
				t.Fatal(err)
			}
			// As for the node's own programs: led elsewhere, it would get past
			// what is asked of packets to the node.
			if err := table.Publish(Published{Protocol: unix.IPPROTO_UDP, Host: loopback4, HostPort: 9, To: netip.AddrPortFrom(gateway, ledTo)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range tests {
			reached := arrives(t, w, gateway, tt.protocol, tt.body)
			if reached == guarded {
				t.Errorf("what %s reaches the node's loopback: %t, with the table: %t", tt.name, reached, guarded)
			}
		}
	}
}

// arrives says whether a packet to 127.0.0.1 is taken in by the node. One to its
// address on the bridge, sent after it, tells when to stop listening.
func arrives(t *testing.T, w *wire, gateway netip.Addr, protocol byte, body []byte) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	tv := unix.NsecToTimeval(int64(10 * time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		t.Fatal(err)
	}
	for _, to := range []netip.Addr{loopback4, gateway} {
		if _, err := unix.Write(w.foreign, ipFrame(protocol, to, body)); err != nil {
			t.Fatal(err)
		}
	}
	reached := false
	for b := make([]byte, 2048); ; {
		n, err := unix.Read(fd, b)
		if err != nil {
			t.Fatalf("nothing is heard: %v", err)
		}
		if n < 28 || !bytes.Equal(b[12:16], otherIP.AsSlice()) {
			continue
		}
		led := protocol == unix.IPPROTO_UDP && binary.BigEndian.Uint16(b[22:]) == ledTo
		if !led && bytes.Equal(b[16:20], gateway.AsSlice()) {
			return reached
		}
		reached = true
	}
}
