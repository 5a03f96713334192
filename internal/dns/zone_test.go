package dns

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	wire "codeberg.org/miekg/dns"
	"codeberg.org/miekg/dns/dnsutil"
	"github.com/google/go-cmp/cmp"
)

var addr = netip.MustParseAddr

// town is a zone with two networks and two projects:
//
//	front  10.0.1.0/24  web (.2), db (.3, also called database)
//	back   10.0.2.0/24  db (.3), vault (.4)
//	other  10.0.3.0/24  web of project shop (.2)
func town() *Zone {
	z := NewZone("virga.internal")
	z.addNetwork("front", netip.MustParsePrefix("10.0.1.1/24"))
	z.addNetwork("back", netip.MustParsePrefix("10.0.2.1/24"))
	z.addNetwork("other", netip.MustParsePrefix("10.0.3.1/24"))
	z.Put(Host{ID: "1", Name: "web", Project: "default", On: []Interface{
		{Network: "front", Addrs: []netip.Addr{addr("10.0.1.2")}, Names: []string{"web"}}}})
	z.Put(Host{ID: "2", Name: "db", Project: "default", On: []Interface{
		{Network: "front", Addrs: []netip.Addr{addr("10.0.1.3")}, Names: []string{"db", "Database"}},
		{Network: "back", Addrs: []netip.Addr{addr("10.0.2.3"), addr("fd00::3")}, Names: []string{"db"}}}})
	z.Put(Host{ID: "3", Name: "vault", Project: "default", On: []Interface{
		{Network: "back", Addrs: []netip.Addr{addr("10.0.2.4")}, Names: []string{"vault", "vault.example.com"}}}})
	z.Put(Host{ID: "4", Name: "web", Project: "shop", On: []Interface{
		{Network: "other", Addrs: []netip.Addr{addr("10.0.3.2")}, Names: []string{"web"}}}})
	return z
}

func ask(name string, typ uint16) *wire.Msg {
	m := dnsutil.SetQuestion(&wire.Msg{}, name, typ)
	m.ID, m.RecursionDesired = 7, true
	return m
}

func TestAnswer(t *testing.T) {
	z := town()
	for _, c := range []struct {
		what, client, name string
		typ                uint16
		want               []string // nil: to be forwarded
		rcode              uint16
	}{
		{"name on the same network", "10.0.1.2", "db.", wire.TypeA, []string{"10.0.1.3"}, 0},
		{"alias, in any case", "10.0.1.2", "DATABASE.", wire.TypeA, []string{"10.0.1.3"}, 0},
		{"full name", "10.0.1.2", "db.default.virga.internal.", wire.TypeA, []string{"10.0.1.3"}, 0},
		{"name on another network", "10.0.1.2", "vault.", wire.TypeA, []string{}, wire.RcodeNameError},
		{"every network of the client", "10.0.1.3", "vault.", wire.TypeA, []string{"10.0.2.4"}, 0},
		{"IPv6", "10.0.2.4", "db.", wire.TypeAAAA, []string{"fd00::3"}, 0},
		{"no such record", "10.0.1.2", "web.", wire.TypeAAAA, []string{}, 0},
		{"alias with dots", "10.0.2.3", "vault.example.com.", wire.TypeA, []string{"10.0.2.4"}, 0},
		{"alias with dots on another network", "10.0.1.2", "vault.example.com.", wire.TypeA, nil, 0},
		{"own project first", "10.0.3.2", "web.", wire.TypeA, []string{"10.0.3.2"}, 0},
		{"another project's network", "10.0.3.2", "web.default.virga.internal.", wire.TypeA, []string{}, wire.RcodeNameError},
		{"unknown short name", "10.0.1.2", "nobody.", wire.TypeA, []string{}, wire.RcodeNameError},
		{"unknown name of the domain", "10.0.1.2", "x.y.virga.internal.", wire.TypeA, []string{}, wire.RcodeNameError},
		{"the domain itself", "10.0.1.2", "virga.internal.", wire.TypeA, []string{}, 0},
		{"foreign name", "10.0.1.2", "example.com.", wire.TypeA, nil, 0},
		{"the node", "10.0.1.2", "host.virga.internal.", wire.TypeA, []string{"10.0.1.1"}, 0},
		{"client that is no instance", "10.0.2.77", "db.", wire.TypeA, []string{"10.0.2.3"}, 0},
		{"reverse", "10.0.1.2", "3.1.0.10.in-addr.arpa.", wire.TypePTR, []string{"db.default.virga.internal."}, 0},
		{"reverse on another network", "10.0.1.2", "4.2.0.10.in-addr.arpa.", wire.TypePTR, []string{}, wire.RcodeNameError},
		{"reverse of nobody", "10.0.1.2", "9.1.0.10.in-addr.arpa.", wire.TypePTR, []string{}, wire.RcodeNameError},
		{"foreign reverse", "10.0.1.2", "8.8.8.8.in-addr.arpa.", wire.TypePTR, nil, 0},
		{"reverse of the node", "10.0.1.2", "1.1.0.10.in-addr.arpa.", wire.TypePTR, []string{"host.virga.internal."}, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := z.answer(z.view(addr(c.client), "back", "default"), ask(c.name, c.typ))
			if m == nil {
				if c.want != nil {
					t.Fatal("is to be forwarded")
				}
				return
			}
			got := []string{}
			for _, rr := range m.Answer {
				switch rr := rr.(type) {
				case *wire.A:
					got = append(got, rr.Addr.String())
				case *wire.AAAA:
					got = append(got, rr.Addr.String())
				case *wire.PTR:
					got = append(got, rr.Ptr)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
			if m.Rcode != c.rcode {
				t.Errorf("rcode %d, want %d", m.Rcode, c.rcode)
			}
			if len(got) == 0 && len(m.Ns) != 1 {
				t.Errorf("negative answer without SOA")
			}
			if m.ID != 7 || !m.Response || len(m.Question) != 1 {
				t.Errorf("not a reply: %v", m)
			}
		})
	}
}

func TestRemovedHostIsNotFound(t *testing.T) {
	z := town()
	z.Remove("2")
	z.Remove("2")
	v := z.view(addr("10.0.1.2"), "front", "default")
	if m := z.answer(v, ask("db.", wire.TypeA)); m.Rcode != wire.RcodeNameError {
		t.Errorf("rcode %d", m.Rcode)
	}
	if len(z.names) != 4 || len(z.clients) != 3 {
		t.Errorf("left: %d names, %d clients", len(z.names), len(z.clients))
	}
}

func TestSharedAliasAnswersWithAll(t *testing.T) {
	z := town()
	z.Put(Host{ID: "5", Name: "db2", Project: "default", On: []Interface{
		{Network: "front", Addrs: []netip.Addr{addr("10.0.1.9")}, Names: []string{"db2", "database"}}}})
	v := z.view(addr("10.0.1.2"), "front", "default")
	if m := z.answer(v, ask("database.", wire.TypeA)); len(m.Answer) != 2 {
		t.Errorf("answer %v", m.Answer)
	}
}

// FuzzQuery feeds foreign bytes through all that a datagram meets.
func FuzzQuery(f *testing.F) {
	for _, m := range []*wire.Msg{ask("db.", wire.TypeA), ask("3.1.0.10.in-addr.arpa.", wire.TypePTR), ask("example.com.", wire.TypeMX)} {
		m.UDPSize = 4096
		if err := m.Pack(); err != nil {
			f.Fatal(err)
		}
		f.Add(m.Data)
	}
	f.Add(make([]byte, 12))
	z := town()
	v := z.view(addr("10.0.1.2"), "front", "default")
	f.Fuzz(func(t *testing.T, b []byte) {
		q := parse(b)
		if q == nil {
			return
		}
		m := z.answer(v, q)
		if m == nil {
			return
		}
		out, err := pack(m, udpLimit(q))
		if err != nil {
			return
		}
		if len(out) > maxUDP || len(out) < wire.MsgHeaderSize || out[2]&0x80 == 0 {
			t.Errorf("reply of %d bytes to %x: %x", len(out), b, out)
		}
		if out[0] != b[0] || out[1] != b[1] {
			t.Errorf("reply has another id")
		}
	})
}

// FuzzDatagram asks a listener's memory beside the long way: they say the same.
func FuzzDatagram(f *testing.F) {
	for _, m := range []*wire.Msg{ask("db.", wire.TypeA), ask("nobody.", wire.TypeAAAA), ask("_http._tcp.web.", wire.TypeSRV)} {
		if err := m.Pack(); err != nil {
			f.Fatal(err)
		}
		f.Add(m.Data, uint16(1))
	}
	z := town()
	client := addr("10.0.1.2")
	v := z.view(client, "front", "default")
	f.Fuzz(func(t *testing.T, b []byte, id uint16) {
		long := func() []byte {
			q := parse(b)
			if q == nil {
				return nil
			}
			m := z.answer(v, q)
			if m == nil {
				return nil
			}
			out, err := pack(m, udpLimit(q))
			if err != nil {
				return nil
			}
			return out
		}
		first := long()
		known, room := newAnswers(), make([]byte, maxUDP)
		if known.copy(room, client, b) != 0 {
			t.Fatal("a new memory knows an answer")
		}
		if first == nil {
			return
		}
		known.remember(client, b, first, parse(b))
		b = append([]byte{byte(id >> 8), byte(id)}, b[2:]...)
		n := known.copy(room, client, b)
		if want := long(); n > 0 && !bytes.Equal(room[:n], want) {
			t.Errorf("%x is answered by %x, want %x", b, room[:n], want)
		}
	})
}

// FuzzReply feeds foreign bytes to what reads name servers' replies.
func FuzzReply(f *testing.F) {
	q := ask("example.com.", wire.TypeA)
	if err := q.Pack(); err != nil {
		f.Fatal(err)
	}
	r := reply(q, 0)
	r.Answer = []wire.RR{addressRecord("example.com.", wire.TypeA, addr("192.0.2.7"))}
	if err := r.Pack(); err != nil {
		f.Fatal(err)
	}
	f.Add(r.Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := accept(q, b)
		if err != nil {
			return
		}
		m = (&forwarder{}).adapt(q, m)
		raw, err := pack(m, wire.MaxMsgSize)
		if err != nil {
			return
		}
		var c cache
		key := question{name: "example.com."}
		c.put(key, m, raw, epoch)
		room := make([]byte, maxUDP)
		if n := c.get(room, key, q.Data, epoch.Add(time.Second/2)); n > 0 {
			got := &wire.Msg{Data: room[:n]}
			if err := got.Unpack(); err != nil || len(got.Question) != 1 || got.ID != q.ID || len(got.Answer) != len(m.Answer) {
				t.Errorf("%x is remembered as %x: %v", raw, room[:n], err)
			}
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	z := town()
	q := ask("db.default.virga.internal.", wire.TypeA)
	if err := q.Pack(); err != nil {
		b.Fatal(err)
	}
	client := addr("10.0.1.2")
	b.ReportAllocs()
	for b.Loop() {
		m := parse(q.Data)
		if _, err := pack(z.answer(z.view(client, "front", "default"), m), udpLimit(m)); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzNameservers reads any text as a resolv.conf.
func FuzzNameservers(f *testing.F) {
	f.Add("nameserver 9.9.9.9\nnameserver fe80::1%eth0\nsearch x\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range nameservers(text) {
			if !a.IsValid() || a.Port() != 53 {
				t.Errorf("server %v", a)
			}
		}
	})
}
