package dns

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	wire "codeberg.org/miekg/dns"
	"codeberg.org/miekg/dns/dnsutil"
)

// tryTimeout is how long one name server may take.
const tryTimeout = 2 * time.Second

// forwarder asks other name servers and remembers what they said.
type forwarder struct {
	conf  *resolvConf
	own   func(netip.Addr) bool // listeners of this server, never asked
	cache cache
}

// to are the name servers that a client's queries go to, and what its
// question is remembered by.
func (f *forwarder) to(v view, q *wire.Msg) ([]netip.AddrPort, question) {
	servers, by := v.upstreams, v.upstreamsKey
	if len(servers) == 0 {
		servers, by = f.conf.list()
	}
	name, typ := dnsutil.Question(q)
	return servers, question{name: strings.ToLower(name), typ: typ, edns: q.UDPSize > 0, dnssec: q.Security,
		unchecked: q.CheckingDisabled, upstreams: by}
}

// remembered writes a reply that is known into room and returns its length, or
// 0.
func (f *forwarder) remembered(room []byte, v view, q *wire.Msg, query []byte) int {
	_, key := f.to(v, q)
	return f.cache.get(room, key, query, time.Now())
}

// ask finds the reply to a query elsewhere. A failure is a reply too.
func (f *forwarder) ask(ctx context.Context, v view, q *wire.Msg, tcp bool) *wire.Msg {
	servers, key := f.to(v, q)
	for _, s := range servers {
		if f.own(s.Addr()) {
			continue
		}
		m, err := exchange(ctx, s, q, tcp)
		if err != nil || m.Rcode == wire.RcodeServerFailure {
			continue
		}
		m = f.adapt(q, m)
		if raw, err := pack(m, wire.MaxMsgSize); err == nil {
			f.cache.put(key, m, raw, time.Now())
		}
		return m
	}
	return reply(q, wire.RcodeServerFailure)
}

// adapt makes a reply to another query with the same question one to q.
func (f *forwarder) adapt(q, m *wire.Msg) *wire.Msg {
	m.ID, m.Question, m.RecursionDesired = q.ID, q.Question, q.RecursionDesired
	m.RecursionAvailable, m.Authoritative = true, false
	if q.UDPSize == 0 {
		m.UDPSize, m.Pseudo, m.Security = 0, nil, false
	}
	return m
}

// exchange asks one name server, by UDP and when that is truncated by TCP.
func exchange(ctx context.Context, server netip.AddrPort, q *wire.Msg, tcp bool) (*wire.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	out := &wire.Msg{Question: q.Question}
	out.ID, out.RecursionDesired = uint16(rand.Uint32()), true
	out.UDPSize, out.Security, out.CheckingDisabled = maxUDP, q.Security, q.CheckingDisabled
	if err := out.Pack(); err != nil {
		return nil, err
	}
	if !tcp {
		m, err := exchangeUDP(ctx, server, out)
		if err != nil || !m.Truncated {
			return m, err
		}
	}
	return exchangeTCP(ctx, server, out)
}

func exchangeUDP(ctx context.Context, server netip.AddrPort, q *wire.Msg) (*wire.Msg, error) {
	c, err := dial(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.Write(q.Data); err != nil {
		return nil, err
	}
	b := make([]byte, wire.MaxMsgSize)
	for {
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		// Anything else than the reply is someone's guess: wait on.
		if m, err := accept(q, b[:n]); err == nil {
			return m, nil
		}
	}
}

func exchangeTCP(ctx context.Context, server netip.AddrPort, q *wire.Msg) (*wire.Msg, error) {
	c, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := writeFrame(c, q.Data); err != nil {
		return nil, err
	}
	b, err := readFrame(c)
	if err != nil {
		return nil, err
	}
	return accept(q, b)
}

func dial(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// accept checks that b is the reply to q.
func accept(q *wire.Msg, b []byte) (*wire.Msg, error) {
	m := &wire.Msg{Data: b}
	if err := m.Unpack(); err != nil {
		return nil, err
	}
	name, typ := dnsutil.Question(q)
	if !m.Response || m.ID != q.ID || len(m.Question) != 1 {
		return nil, fmt.Errorf("reply to another query")
	}
	if n, t := dnsutil.Question(m); t != typ || !strings.EqualFold(n, name) {
		return nil, fmt.Errorf("reply to another question")
	}
	return m, nil
}

// readFrame and writeFrame carry messages over TCP: two bytes of length, then
// the message.
func readFrame(r io.Reader) ([]byte, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeFrame(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}
