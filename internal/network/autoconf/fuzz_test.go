package autoconf

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"golang.org/x/time/rate"
)

// patient is a desk that answers as much as it is asked.
func patient() *desk {
	d := testDesk()
	for _, c := range d.byMAC {
		c.bucket = rate.NewLimiter(rate.Inf, 0)
	}
	return d
}

// FuzzDHCP4: whatever a guest says, what is answered is for a guest of the plan
// and gives it its own address or none.
func FuzzDHCP4(f *testing.F) {
	for _, typ := range kinds4 {
		m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac1), dhcpv4.WithMessageType(typ),
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IP{10, 9, 0, 2})),
			dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionDNSDomainSearchList), dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(576)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.ToBytes(), uint32(0))
		f.Add(m.ToBytes(), uint32(0x0a090002))
	}
	d := patient()
	f.Fuzz(func(t *testing.T, b []byte, from uint32) {
		b = b[:min(len(b), maxMessage)]
		packet, to := d.answer4(b, netip.AddrFrom4([4]byte{byte(from >> 24), byte(from >> 16), byte(from >> 8), byte(from)}))
		if packet == nil {
			return
		}
		i := slices.IndexFunc(testGuests, func(g Guest) bool { return slices.Equal(g.MAC, to) })
		if i < 0 {
			t.Fatalf("an answer for a stranger: %s", to)
		}
		m, err := dhcpv4.FromBytes(packet[headerSize4:])
		if err != nil {
			t.Fatal(err)
		}
		if !m.YourIPAddr.IsUnspecified() && !same(m.YourIPAddr, testGuests[i].Addr) {
			t.Fatalf("guest %s gets %s", testGuests[i].ID, m.YourIPAddr)
		}
		dest := netip.AddrFrom4([4]byte(packet[16:]))
		if dest != testGuests[i].Addr && dest != netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			t.Fatalf("an answer for %s goes to %s", testGuests[i].ID, dest)
		}
		if len(packet) > maxMessage {
			t.Fatalf("%d bytes", len(packet))
		}
	})
}

// FuzzDHCP6 is the same for IPv6.
func FuzzDHCP6(f *testing.F) {
	for _, typ := range kinds6 {
		m := &dhcpv6.Message{MessageType: typ}
		m.AddOption(dhcpv6.OptClientID(&dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: mac1}))
		f.Add(m.ToBytes())
		m.AddOption(dhcpv6.OptServerID(serverID(testNet)))
		ia := &dhcpv6.OptIANA{}
		ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP("fd09::77")})
		m.AddOption(ia)
		dhcpv6.WithRequestedOptions(dhcpv6.OptionDNSRecursiveNameServer)(m)
		dhcpv6.WithFQDN(0, "host.example.com")(m)
		f.Add(m.ToBytes())
	}
	d := patient()
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), maxMessage)]
		for _, g := range testGuests {
			out := d.answer6(b, g.linkLocal())
			if out == nil {
				continue
			}
			m, err := dhcpv6.MessageFromBytes(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, ia := range m.Options.IANA() {
				for _, a := range ia.Options.Addresses() {
					if a.ValidLifetime != 0 && !same(a.IPv6Addr, g.Addr6) {
						t.Fatalf("guest %s gets %s", g.ID, a.IPv6Addr)
					}
				}
			}
			if len(out) > 2*maxMessage {
				t.Fatalf("%d bytes", len(out))
			}
		}
		if d.answer6(b, netip.MustParseAddr("fe80::1")) != nil {
			t.Fatal("an answer for a stranger")
		}
	})
}

// FuzzSolicitation looks for a question that is none.
func FuzzSolicitation(f *testing.F) {
	f.Add([]byte{133, 0, 0, 0, 0, 0, 0, 0}, 255)
	f.Add([]byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0x76, 10, 9, 0, 2}, 255)
	d := patient()
	f.Fuzz(func(t *testing.T, b []byte, hops int) {
		_, g, ok := d.solicited(b[:min(len(b), maxMessage)], linkLocal(mac1), hops)
		if ok && (hops != 255 || b[0] != 133 || g.ID != "one") {
			t.Fatalf("%d hops, %x: %+v", hops, b, g)
		}
	})
}
