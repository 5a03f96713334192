package autoconf

import (
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/mdlayher/ndp"
)

var update = flag.Bool("update", false, "write the transcripts anew")

var (
	mac1, mac2 = net.HardwareAddr{2, 0x76, 10, 9, 0, 2}, net.HardwareAddr{2, 0x76, 10, 9, 0, 3}
	testNet    = Network{
		Key: "default", Bridge: "virga0", Index: 7, MAC: net.HardwareAddr{0xfe, 0x76, 10, 9, 0, 1}, MTU: 1450,
		Subnet: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("10.9.0.1"),
		Subnet6: netip.MustParsePrefix("fd09::/64"), Metadata: netip.MustParseAddr("169.254.169.254"),
	}
	testGuests = []Guest{
		{ID: "one", MAC: mac1, Addr: netip.MustParseAddr("10.9.0.2"), Addr6: netip.MustParseAddr("fd09::a09:2"), Hostname: "web",
			Search:      []string{"default.virga.internal", "example.com"},
			NameServers: []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("fd09::1")}, Router: true},
		// On a network without a way out, and without IPv6.
		{ID: "two", MAC: mac2, Addr: netip.MustParseAddr("10.9.0.3"), Hostname: "db", Search: []string{"default.virga.internal"},
			NameServers: []netip.Addr{netip.MustParseAddr("10.9.0.1")}},
	}
)

func testDesk() *desk {
	d := newDesk(slog.New(slog.DiscardHandler))
	d.set(testNet, testGuests)
	return d
}

// TestTranscripts asks what the files of testdata ask and compares the answers.
// A question is a line of words (see ask), the answer follows under "----".
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
				question, _, _ := strings.Cut(block, "\n----")
				var last string
				for line := range strings.Lines(question) {
					last = strings.TrimSpace(line) // comments come before it
				}
				fmt.Fprintf(&out, "%s\n----\n%s\n\n", question, strings.TrimSpace(ask(t, testDesk(), last)))
			}
			got := strings.TrimSpace(out.String()) + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(b), got); diff != "" && !*update {
				t.Errorf("run with -update and look at what changed:\n%s", diff)
			}
		})
	}
}

// words are the arguments of a question: name, or name=value.
type words map[string]string

func (w words) addr(name, otherwise string) netip.Addr {
	if v := w[name]; v != "" {
		otherwise = v
	}
	return netip.MustParseAddr(otherwise)
}

func (w words) mac() net.HardwareAddr {
	switch w["mac"] {
	case "two":
		return mac2
	case "stranger":
		return net.HardwareAddr{2, 0x76, 10, 9, 0, 9}
	}
	return mac1
}

func (w words) has(name string) bool { _, ok := w[name]; return ok }

// ask is a question in words and the answer in text.
func ask(t *testing.T, d *desk, question string) string {
	fields := strings.Fields(question)
	w := words{}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		w[k] = v
	}
	protocol, kind, _ := strings.Cut(fields[0], "/")
	switch protocol {
	case "dhcp4":
		return ask4(t, d, kind, w)
	case "dhcp6":
		return ask6(t, d, kind, w)
	case "router":
		hops := 255
		if w.has("hops") {
			hops, _ = strconv.Atoi(w["hops"])
		}
		_, g, ok := d.solicited([]byte{133, 0, 0, 0, 0, 0, 0, 0}, w.addr("from", linkLocal(w.mac()).String()), hops)
		if !ok {
			return "no answer"
		}
		ra := advertisement(testNet, g)
		out := fmt.Sprintf("hops %d managed %t other %t lifetime %s\n", ra.CurrentHopLimit, ra.ManagedConfiguration, ra.OtherConfiguration, ra.RouterLifetime)
		for _, o := range ra.Options {
			out += strings.TrimPrefix(fmt.Sprintf("%T %+v\n", o, o), "*ndp.")
		}
		if _, err := ndp.MarshalMessage(ra); err != nil {
			t.Error(err)
		}
		return out
	}
	t.Fatalf("no question: %q", question)
	return ""
}

var kinds4 = map[string]dhcpv4.MessageType{
	"discover": dhcpv4.MessageTypeDiscover, "request": dhcpv4.MessageTypeRequest, "inform": dhcpv4.MessageTypeInform,
	"release": dhcpv4.MessageTypeRelease, "decline": dhcpv4.MessageTypeDecline, "offer": dhcpv4.MessageTypeOffer,
}

func ask4(t *testing.T, d *desk, kind string, w words) string {
	m, err := dhcpv4.New(dhcpv4.WithHwAddr(w.mac()), dhcpv4.WithTransactionID(dhcpv4.TransactionID{1, 2, 3, 4}))
	if err != nil {
		t.Fatal(err)
	}
	if typ, ok := kinds4[kind]; ok {
		m.UpdateOption(dhcpv4.OptMessageType(typ))
	}
	for name, value := range w {
		switch name {
		case "ci":
			m.ClientIPAddr = net.ParseIP(value)
		case "relay":
			m.GatewayIPAddr = net.ParseIP(value)
		case "want":
			m.UpdateOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(value)))
		case "server":
			m.UpdateOption(dhcpv4.OptServerIdentifier(net.ParseIP(value)))
		case "rapid":
			m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionRapidCommit, nil))
		case "id":
			m.UpdateOption(dhcpv4.OptClientIdentifier([]byte(value)))
		case "broadcast":
			m.SetBroadcast()
		case "reply":
			m.OpCode = dhcpv4.OpcodeBootReply
		case "asks":
			var codes dhcpv4.OptionCodeList
			for c := range strings.SplitSeq(value, ",") {
				n, err := strconv.Atoi(c)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, dhcpv4.GenericOptionCode(n))
			}
			m.UpdateOption(dhcpv4.OptParameterRequestList(codes...))
		}
	}
	b := m.ToBytes()
	if w.has("short") {
		b = b[:200]
	}
	packet, to := d.answer4(b, w.addr("from", "0.0.0.0"))
	if packet == nil {
		return "no answer"
	}
	if got := sum(0, packet[:20]); got != 0xffff {
		t.Errorf("header's checksum: %#x", got)
	}
	if got := sum(sum(uint16(17), packet[12:20]), append(packet[24:26:26], packet[20:]...)); got != 0xffff {
		t.Errorf("datagram's checksum: %#x", got)
	}
	from, dest := netip.AddrFrom4([4]byte(packet[12:])), netip.AddrFrom4([4]byte(packet[16:]))
	r, err := dhcpv4.FromBytes(packet[headerSize4:])
	if err != nil {
		t.Fatal(err)
	}
	if r.TransactionID != m.TransactionID || r.OpCode != dhcpv4.OpcodeBootReply || r.ClientHWAddr.String() != to.String() {
		t.Errorf("not a reply to the question: %s", r.Summary())
	}
	said := fmt.Sprintf("%s to %s at %s\n", from, dest, to)
	for line := range strings.Lines(r.Summary()) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.HasPrefix(line, "    ") || name == "flags" || name == "client IP" || name == "your IP" {
			said += strings.TrimSpace(line) + "\n"
		}
	}
	return said
}

var kinds6 = map[string]dhcpv6.MessageType{
	"solicit": dhcpv6.MessageTypeSolicit, "request": dhcpv6.MessageTypeRequest, "renew": dhcpv6.MessageTypeRenew,
	"rebind": dhcpv6.MessageTypeRebind, "confirm": dhcpv6.MessageTypeConfirm, "release": dhcpv6.MessageTypeRelease,
	"decline": dhcpv6.MessageTypeDecline, "information": dhcpv6.MessageTypeInformationRequest, "reply": dhcpv6.MessageTypeReply,
}

func ask6(t *testing.T, d *desk, kind string, w words) string {
	m := &dhcpv6.Message{MessageType: kinds6[kind], TransactionID: dhcpv6.TransactionID{1, 2, 3}}
	if !w.has("anonymous") {
		m.AddOption(dhcpv6.OptClientID(&dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: w.mac()}))
	}
	switch w["server"] {
	case "ours":
		m.AddOption(dhcpv6.OptServerID(serverID(testNet)))
	case "other":
		m.AddOption(dhcpv6.OptServerID(&dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: mac2}))
	}
	n, _ := strconv.Atoi(w["associations"])
	for i := range n {
		ia := &dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, byte(i + 1)}}
		if a := w["addr"]; a != "" {
			ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(a)})
		}
		m.AddOption(ia)
	}
	if w.has("temporary") {
		m.AddOption(&dhcpv6.OptIATA{IaId: [4]byte{0, 0, 0, 1}})
	}
	if w.has("prefix") {
		m.AddOption(&dhcpv6.OptIAPD{IaId: [4]byte{0, 0, 0, 1}})
	}
	if w.has("rapid") {
		dhcpv6.WithRapidCommit(m)
	}
	out := d.answer6(m.ToBytes(), w.addr("from", linkLocal(w.mac()).String()+"%virga0"))
	if out == nil {
		return "no answer"
	}
	r, err := dhcpv6.MessageFromBytes(out)
	if err != nil {
		t.Fatal(err)
	}
	return r.LongString(0)
}
