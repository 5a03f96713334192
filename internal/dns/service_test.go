package dns

import (
	"fmt"
	"net/netip"
	"testing"

	wire "codeberg.org/miekg/dns"
)

func TestServiceRecords(t *testing.T) {
	z := town()
	vip := []netip.Addr{addr("10.0.1.250")}
	z.Put(Host{ID: "s", Service: true, Name: "web", Project: "default", Ports: []Port{{"http", "tcp", 80}, {"quic", "udp", 443}}, On: []Interface{
		{Network: "front", Addrs: vip, Names: []string{"web"}}, {Network: "back", Addrs: vip, Names: []string{"web"}}}})
	z.Put(Host{ID: "6", Name: "pg1", Project: "default", Ports: []Port{{"5432", "tcp", 5432}}, On: []Interface{
		{Network: "front", Addrs: []netip.Addr{addr("10.0.1.6")}, Names: []string{"pg1", "pg"}}}})
	z.Put(Host{ID: "7", Name: "pg2", Project: "default", Ports: []Port{{"5432", "tcp", 5432}}, On: []Interface{
		{Network: "front", Addrs: []netip.Addr{addr("10.0.1.7")}, Names: []string{"pg2", "pg"}}}})
	client := view{project: "default", networks: []string{"front", "back"}}
	for _, c := range []struct {
		name  string
		typ   uint16
		want  string // of the only answer
		rcode uint16
	}{
		{"web.", wire.TypeA, "10.0.1.250", 0},
		{"web.default.virga.internal.", wire.TypeA, "10.0.1.250", 0},
		{"_http._tcp.web.", wire.TypeSRV, "80 web.default.virga.internal.", 0},
		{"_http._tcp.web.default.virga.internal.", wire.TypeSRV, "80 web.default.virga.internal.", 0},
		{"_quic._udp.web.", wire.TypeSRV, "443 web.default.virga.internal.", 0},
		{"_http._tcp.web.", wire.TypeA, "", 0},
		{"_5432._tcp.pg1.", wire.TypeSRV, "5432 pg1.default.virga.internal.", 0},
		{"_5432._tcp.pg.", wire.TypeSRV, "5432 pg1.default.virga.internal.5432 pg2.default.virga.internal.", 0},
		{"_5432._udp.pg.", wire.TypeSRV, "", wire.RcodeNameError},
		{"_smtp._tcp.web.", wire.TypeSRV, "", wire.RcodeNameError},
		{"_http._tcp.db.", wire.TypeSRV, "", wire.RcodeNameError},
		{"_http._tcp.nobody.", wire.TypeSRV, "", wire.RcodeNameError},
		{"_http.", wire.TypeSRV, "", wire.RcodeNameError},
	} {
		m := z.answer(client, ask(c.name, c.typ))
		if m == nil {
			t.Errorf("%s is forwarded", c.name)
			continue
		}
		got := ""
		for _, rr := range m.Answer {
			switch rr := rr.(type) {
			case *wire.A:
				got += rr.Addr.String()
			case *wire.SRV:
				got += dnsPort(rr)
			}
		}
		if got != c.want || m.Rcode != c.rcode {
			t.Errorf("%s type %s: %q, rcode %d; want %q, %d", c.name, fmt.Sprint(c.typ), got, m.Rcode, c.want, c.rcode)
		}
	}
	if m := z.answer(client, ask("_xmpp._tcp.example.org.", wire.TypeSRV)); m != nil {
		t.Error("another domain's service is not forwarded")
	}
	z.Remove("s")
	if got, _ := z.lookup(client, "web"); len(got) != 1 || got[0] != addr("10.0.1.2") {
		t.Errorf("without the service, web is %v", got)
	}
}

func dnsPort(rr *wire.SRV) string { return fmt.Sprint(rr.Port, " ", rr.Target) }
