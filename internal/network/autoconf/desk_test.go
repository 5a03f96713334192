package autoconf

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// TestGuestsAskTooMuch has one guest ask without end: it is answered at the
// rate there is, and the others as ever.
func TestGuestsAskTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := testDesk()
		m, err := dhcpv4.NewDiscovery(mac1)
		if err != nil {
			t.Fatal(err)
		}
		flood := func() (answers int) {
			for range 10 * questionsAtOnce {
				if packet, _ := d.answer4(m.ToBytes(), testNet.Gateway); packet != nil {
					t.Fatal("a question from the gateway's address is answered")
				}
				if _, _, ok := d.solicited([]byte{133, 0, 0, 0, 0, 0, 0, 0}, linkLocal(mac1), 255); ok {
					answers++
				}
			}
			return answers
		}
		// Those that another asks in its name are not counted.
		if n := flood(); n != questionsAtOnce {
			t.Errorf("%d answers at once, want %d", n, questionsAtOnce)
		}
		// What is planned anew is no way around it.
		d.set(testNet, testGuests)
		if n := flood(); n != 0 {
			t.Errorf("%d more answers, want none", n)
		}
		if said := ask(t, d, "dhcp4/discover mac=two"); !strings.Contains(said, "OFFER") {
			t.Errorf("another guest: %s", said)
		}
		time.Sleep(time.Second)
		if n := flood(); n != questionsPerSecond {
			t.Errorf("%d answers after a second, want %d", n, questionsPerSecond)
		}
	})
}

// TestPlanChanges asks before and after the plan has changed.
func TestPlanChanges(t *testing.T) {
	d := testDesk()
	if changed := d.set(testNet, testGuests); len(changed) != 0 {
		t.Errorf("told of no change: %v", changed)
	}
	moved := testGuests[0]
	moved.Addr = moved.Addr.Next().Next()
	if changed := d.set(testNet, []Guest{moved}); len(changed) != 1 || changed[0].ID != "one" {
		t.Errorf("told of a change: %v", changed)
	}
	for question, want := range map[string]string{
		"dhcp4/discover":               "your IP: 10.9.0.4",
		"dhcp4/request want=10.9.0.2":  "NAK", // it has to begin anew
		"dhcp4/discover mac=two":       "no answer",
		"dhcp6/solicit associations=1": "fd09::a09:2",
	} {
		if said := ask(t, d, question); !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", question, said, want)
		}
	}
	if changed := d.set(testNet, nil); len(changed) != 0 || ask(t, d, "dhcp4/discover") != "no answer" {
		t.Error("who has gone is answered")
	}
}

// TestSmallClients makes sure that an answer fits the smallest client, whatever
// was configured.
func TestSmallClients(t *testing.T) {
	g := testGuests[0]
	g.Hostname = strings.Repeat("h", 63)
	g.Search = nil
	for i := range 6 {
		g.Search = append(g.Search, strings.Repeat(string(rune('a'+i)), 63)+".example.com")
	}
	d := testDesk()
	d.set(testNet, []Guest{g})
	for _, size := range []uint16{0, 300, 576, 1400} {
		m, err := dhcpv4.NewDiscovery(mac1, dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(size)),
			dhcpv4.WithRequestedOptions(dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionHostName, dhcpv4.OptionDomainName))
		if err != nil {
			t.Fatal(err)
		}
		packet, _ := d.answer4(m.ToBytes(), testNet.Gateway.Prev())
		if packet != nil {
			t.Fatal("a question with a false sender is answered")
		}
		packet, to := d.answer4(m.ToBytes(), netip.IPv4Unspecified())
		if packet == nil || !bytes.Equal(to, mac1) {
			t.Fatalf("no answer for %d bytes", size)
		}
		if most := max(int(size), smallest4); len(packet) > most {
			t.Errorf("%d bytes for a client that takes %d", len(packet), most)
		}
		r, err := dhcpv4.FromBytes(packet[headerSize4:])
		if err != nil {
			t.Fatal(err)
		}
		if all := r.DomainSearch() != nil; all != (size == 1400) {
			t.Errorf("search list for a client that takes %d bytes: %t", size, all)
		}
		if r.SubnetMask() == nil || r.Router() == nil || r.ClasslessStaticRoute() == nil {
			t.Errorf("what is needed is missing: %s", r.Summary())
		}
	}
}
