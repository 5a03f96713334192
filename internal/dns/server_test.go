package dns

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	wire "codeberg.org/miekg/dns"
	"codeberg.org/miekg/dns/dnsutil"
	"codeberg.org/miekg/dns/rdata"
	"go.uber.org/goleak"
)

var epoch = time.Unix(1_000_000_000, 0)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// upstream is a name server that knows every name; it counts queries. Names
// that begin with "big" have an answer that fits no datagram.
type upstream struct {
	addr    netip.AddrPort
	queries atomic.Int64
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	up := &upstream{addr: u.LocalAddr().(*net.UDPAddr).AddrPort()}
	l, err := net.Listen("tcp4", up.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{}, 2)
	t.Cleanup(func() { u.Close(); l.Close(); <-done; <-done })
	go func() {
		defer func() { done <- struct{}{} }()
		b := make([]byte, 4096)
		for {
			n, from, err := u.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			q := parse(b[:n])
			if out, err := pack(up.reply(q), udpLimit(q)); err == nil {
				u.WriteToUDPAddrPort(out, from)
			}
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if b, err := readFrame(c); err == nil {
				if out, err := pack(up.reply(parse(b)), wire.MaxMsgSize); err == nil {
					writeFrame(c, out)
				}
			}
			c.Close()
		}
	}()
	return up
}

func (u *upstream) reply(q *wire.Msg) *wire.Msg {
	u.queries.Add(1)
	name, _ := dnsutil.Question(q)
	m := reply(q, wire.RcodeSuccess)
	n := 1
	if name[:3] == "big" {
		n = 200
	}
	for i := range n {
		m.Answer = append(m.Answer, &wire.A{
			Hdr: wire.Header{Name: name, TTL: 60, Class: wire.ClassINET},
			A:   rdata.A{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})},
		})
	}
	return m
}

// newServer listens on a network of loopback, 127.77.0.0/24.
func newServer(t testing.TB, upstreams ...netip.AddrPort) *Server {
	t.Helper()
	return serverOf(t, Config{}, upstreams...)
}

func serverOf(t testing.TB, c Config, upstreams ...netip.AddrPort) *Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for port 53")
	}
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(conf, []byte("search x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.Domain, c.Project, c.ResolvConf = "virga.internal", "default", conf
	c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	s := NewServer(c)
	t.Cleanup(func() { s.Close() })
	if err := s.Listen(context.Background(), "lo", netip.MustParsePrefix("127.77.0.1/24")); err != nil {
		t.Fatal(err)
	}
	s.Put(Host{ID: "1", Name: "me", Project: "default", Upstreams: upstreams, On: []Interface{
		{Network: "lo", Addrs: []netip.Addr{addr("127.77.0.2")}, Names: []string{"me"}}}})
	return s
}

// client asks the server from the address of the host "me".
func client(t testing.TB, network string) net.Conn {
	t.Helper()
	var local net.Addr = &net.UDPAddr{IP: net.IPv4(127, 77, 0, 2)}
	if network == "tcp" {
		local = &net.TCPAddr{IP: net.IPv4(127, 77, 0, 2)}
	}
	d := net.Dialer{LocalAddr: local, Timeout: 30 * time.Second}
	c, err := d.Dial(network, "127.77.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func query(t testing.TB, network, name string) *wire.Msg {
	t.Helper()
	return send(t, network, name)()
}

// send sends a query and returns what reads its answer.
func send(t testing.TB, network, name string) func() *wire.Msg {
	t.Helper()
	c, q := client(t, network), ask(name, wire.TypeA)
	err := q.Pack()
	if err == nil && network == "tcp" {
		err = writeFrame(c, q.Data)
	} else if err == nil {
		_, err = c.Write(q.Data)
	}
	if err != nil {
		t.Fatalf("ask %s by %s: %v", name, network, err)
	}
	return func() *wire.Msg {
		t.Helper()
		var b []byte
		var err error
		if network == "tcp" {
			b, err = readFrame(c)
		} else {
			b = make([]byte, wire.MaxMsgSize)
			var n int
			n, err = c.Read(b)
			b = b[:n]
		}
		if err != nil {
			t.Fatalf("answer to %s by %s: %v", name, network, err)
		}
		m := &wire.Msg{Data: b}
		if err := m.Unpack(); err != nil {
			t.Fatal(err)
		}
		if m.ID != q.ID {
			t.Fatalf("reply has id %d", m.ID)
		}
		return m
	}
}

// What is asked before the server knows everything is answered when it does.
func TestQueriesWaitForBegin(t *testing.T) {
	s := serverOf(t, Config{Pending: true})
	answers := map[string]func() *wire.Msg{}
	for _, network := range []string{"udp", "tcp"} {
		answers[network] = send(t, network, "late.default.virga.internal.")
	}
	s.Put(Host{ID: "2", Name: "late", Project: "default", On: []Interface{
		{Network: "lo", Addrs: []netip.Addr{addr("127.77.0.3")}, Names: []string{"late"}}}})
	s.Begin()
	for network, answer := range answers {
		if m := answer(); len(m.Answer) != 1 {
			t.Errorf("%s: %v", network, m)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := serverOf(t, Config{Pending: true}).Close(); err != nil {
		t.Errorf("one that never began: %v", err)
	}
}

func TestServer(t *testing.T) {
	up := newUpstream(t)
	newServer(t, up.addr)
	for _, network := range []string{"udp", "tcp"} {
		if m := query(t, network, "me."); len(m.Answer) != 1 || !m.Authoritative {
			t.Errorf("%s: own name: %v", network, m)
		}
		if m := query(t, network, "nobody.default.virga.internal."); m.Rcode != wire.RcodeNameError {
			t.Errorf("%s: missing name: %v", network, m)
		}
		if m := query(t, network, "example.com."); len(m.Answer) != 1 || m.Authoritative {
			t.Errorf("%s: foreign name: %v", network, m)
		}
	}
	if n := up.queries.Load(); n != 1 {
		t.Errorf("%d queries reached the name server, want 1: the second is remembered", n)
	}
	if m := query(t, "udp", "big.example.com."); !m.Truncated || len(m.Answer) != 0 {
		t.Errorf("large reply by UDP: truncated %v, %d answers", m.Truncated, len(m.Answer))
	}
	if m := query(t, "tcp", "big.example.com."); m.Truncated || len(m.Answer) != 200 {
		t.Errorf("large reply by TCP: truncated %v, %d answers", m.Truncated, len(m.Answer))
	}
}

func TestNoNameServers(t *testing.T) {
	newServer(t)
	if m := query(t, "udp", "example.com."); m.Rcode != wire.RcodeServerFailure {
		t.Errorf("reply %v", m)
	}
}

func TestListenIsRepeatable(t *testing.T) {
	s := newServer(t)
	ctx, net77 := context.Background(), netip.MustParsePrefix("127.77.0.1/24")
	for range 3 {
		if err := s.Listen(ctx, "lo", net77); err != nil {
			t.Fatal(err)
		}
	}
	s.Unlisten("lo")
	s.Unlisten("lo")
	if err := s.Listen(ctx, "lo", net77); err != nil {
		t.Fatal(err)
	}
	if m := query(t, "udp", "me."); len(m.Answer) != 1 {
		t.Errorf("reply %v", m)
	}
}

func TestCacheCountsDownAndForgets(t *testing.T) {
	m := reply(ask("example.com.", wire.TypeA), wire.RcodeSuccess)
	m.Answer = []wire.RR{addressRecord("example.com.", wire.TypeA, addr("192.0.2.1"))}
	m.Answer[0].Header().TTL = 60
	if err := m.Pack(); err != nil {
		t.Fatal(err)
	}
	var c cache
	key := question{name: "example.com.", typ: wire.TypeA}
	c.put(key, m, m.Data, epoch)
	q := ask("EXAMPLE.com.", wire.TypeA)
	q.ID = 99
	if err := q.Pack(); err != nil {
		t.Fatal(err)
	}
	room := make([]byte, maxUDP)
	got := &wire.Msg{Data: room[:c.get(room, key, q.Data, epoch.Add(20*time.Second))]}
	if err := got.Unpack(); err != nil || got.Answer[0].Header().TTL != 40 || got.ID != 99 {
		t.Errorf("after 20 s: %v %v", got, err)
	}
	if name, _ := dnsutil.Question(got); name != "EXAMPLE.com." {
		t.Errorf("the question comes back as %q", name)
	}
	if n := c.get(room[:20], key, q.Data, epoch); n != 0 {
		t.Errorf("%d bytes in 20", n)
	}
	if n := c.get(room, key, q.Data, epoch.Add(time.Minute)); n != 0 {
		t.Errorf("after 60 s: %d bytes", n)
	}
	for i := range 2 * cacheSize {
		c.put(question{name: fmt.Sprint(i)}, m, m.Data, epoch)
	}
	if len(c.entries) > cacheSize {
		t.Errorf("%d entries", len(c.entries))
	}
}

// What a reply may ask for is bounded on both sides.
func TestLifetimes(t *testing.T) {
	soa := func(ttl, minimum uint32) *wire.SOA {
		return &wire.SOA{Hdr: wire.Header{Name: "com.", TTL: ttl, Class: wire.ClassINET}, SOA: rdata.SOA{Ns: "a.", Mbox: "b.", Minttl: minimum}}
	}
	for _, tt := range []struct {
		what    string
		ttl     uint32 // of the answer; 0 has none
		soa     *wire.SOA
		rcode   uint16
		present time.Duration // the last moment at which it is remembered
	}{
		{"as asked for", 60, nil, 0, 60 * time.Second},
		{"at most an hour", 86400, nil, 0, time.Hour},
		{"negative: the SOA's minimum", 0, soa(300, 30), wire.RcodeNameError, 30 * time.Second},
		{"negative: the SOA's own", 0, soa(20, 300), wire.RcodeNameError, 20 * time.Second},
		{"negative: at most five minutes", 0, soa(86400, 86400), 0, 5 * time.Minute},
		{"at least a second", 0, soa(0, 0), wire.RcodeNameError, time.Second},
		{"no records", 0, nil, 0, 2 * time.Second},
		{"failures are not", 60, nil, wire.RcodeRefused, -1},
	} {
		m := reply(ask("example.com.", wire.TypeA), tt.rcode)
		if tt.ttl > 0 {
			m.Answer = []wire.RR{addressRecord("example.com.", wire.TypeA, addr("192.0.2.1"))}
			m.Answer[0].Header().TTL = tt.ttl
		}
		if tt.soa != nil {
			m.Ns = []wire.RR{tt.soa}
		}
		if err := m.Pack(); err != nil {
			t.Fatal(err)
		}
		var c cache
		c.put(question{}, m, m.Data, epoch)
		room := make([]byte, maxUDP)
		if tt.present < 0 {
			if c.get(room, question{}, m.Data, epoch) != 0 {
				t.Errorf("%s: it is remembered", tt.what)
			}
			continue
		}
		if c.get(room, question{}, m.Data, epoch.Add(tt.present-time.Millisecond)) == 0 {
			t.Errorf("%s: forgotten before %s", tt.what, tt.present)
		}
		if c.get(room, question{}, m.Data, epoch.Add(tt.present)) != 0 {
			t.Errorf("%s: remembered after %s", tt.what, tt.present)
		}
	}
}

// A change of the zone is seen at once, however often was asked before.
func TestRememberedAnswersFollowTheZone(t *testing.T) {
	s := newServer(t)
	for range 3 {
		if m := query(t, "udp", "other."); m.Rcode != wire.RcodeNameError || len(m.Ns) != 1 {
			t.Fatalf("before: %v", m)
		}
	}
	for _, a := range []string{"127.77.0.9", "127.77.0.10"} {
		s.Put(Host{ID: "2", Name: "other", Project: "default", On: []Interface{
			{Network: "lo", Addrs: []netip.Addr{addr(a)}, Names: []string{"other"}}}})
		for _, name := range []string{"other.", "other.", "OTHER."} {
			m := query(t, "udp", name)
			if len(m.Answer) != 1 || m.Answer[0].(*wire.A).Addr != addr(a) || m.Answer[0].Header().Name != name {
				t.Errorf("%s is %v, want %s", name, m.Answer, a)
			}
		}
	}
	s.Remove("2")
	if m := query(t, "udp", "other."); m.Rcode != wire.RcodeNameError {
		t.Errorf("after: %v", m)
	}
}

func TestNameservers(t *testing.T) {
	got := fmt.Sprint(nameservers("# nameserver 1.1.1.1\nnameserver 192.0.2.1\nnameserver\nnameserver x\noptions ndots:1\nnameserver fd00::1\n"))
	if want := "[192.0.2.1:53 [fd00::1]:53]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// BenchmarkServer keeps 16 queries in flight on one socket.
func BenchmarkServer(b *testing.B) {
	newServer(b)
	c, q := client(b, "udp"), ask("me.default.virga.internal.", wire.TypeA)
	if err := q.Pack(); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 512)
	for range 16 {
		if _, err := c.Write(q.Data); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Write(q.Data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}
