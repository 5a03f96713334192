package dns

import (
	"net/netip"
	"slices"
	"strings"

	wire "codeberg.org/miekg/dns"
	"codeberg.org/miekg/dns/dnsutil"
	"codeberg.org/miekg/dns/rdata"
)

const (
	// localTTL is short: an instance may get another address at its next start.
	localTTL = 5
	// negativeTTL is how long a client may remember that a name is missing.
	negativeTTL = 2
	// maxUDP is the largest UDP reply, as the DNS flag day of 2020 advises.
	maxUDP = 1232
)

// parse reads a query; nil when it is not worth an answer.
func parse(b []byte) *wire.Msg {
	m := &wire.Msg{Data: b}
	if len(b) < wire.MsgHeaderSize || b[2]&0x80 != 0 {
		return nil // too short, or a reply: answering it could loop
	}
	if err := m.Unpack(); err != nil {
		m = &wire.Msg{Data: b}
		m.Options = wire.MsgOptionUnpackHeader
		if m.Unpack() != nil {
			return nil
		}
		m.Question = nil
	}
	return m
}

// answer replies to a query about a name that is virga's; nil when the query
// is for others to answer.
func (z *Zone) answer(v view, q *wire.Msg) *wire.Msg {
	switch {
	case q.Opcode != wire.OpcodeQuery:
		return reply(q, wire.RcodeNotImplemented)
	case len(q.Question) != 1:
		return reply(q, wire.RcodeFormatError)
	case q.UDPSize > 0 && q.Version > 0:
		return reply(q, wire.RcodeBadVers)
	}
	name, typ := dnsutil.Question(q)
	if q.Question[0].Header().Class != wire.ClassINET {
		return reply(q, wire.RcodeRefused)
	}
	key := strings.TrimSuffix(strings.ToLower(name), ".")
	if strings.HasSuffix(key, ".arpa") {
		return z.answerReverse(v, q, name)
	}
	if asksPorts(key) {
		return z.answerPorts(v, q, name, key)
	}
	addrs, r := z.lookup(v, key)
	m, found := z.begin(q, r)
	if !found {
		return m
	}
	for _, a := range addrs {
		if rr := addressRecord(name, typ, a); rr != nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) == 0 {
		return z.negative(m)
	}
	return m
}

// begin makes the reply to a query whose name was looked up. Of a name that was
// not found the reply is complete; it is nil where the name is not the zone's.
func (z *Zone) begin(q *wire.Msg, r result) (m *wire.Msg, found bool) {
	switch r {
	case foreign:
		return nil, false
	case missing:
		return z.negative(reply(q, wire.RcodeNameError)), false
	}
	m = reply(q, wire.RcodeSuccess)
	m.Authoritative = true
	return m, true
}

// answerPorts replies to a query about a service's ports (RFC 2782).
func (z *Zone) answerPorts(v view, q *wire.Msg, name, key string) *wire.Msg {
	ports, r := z.ports(v, key)
	m, found := z.begin(q, r)
	if !found {
		return m
	}
	if _, typ := dnsutil.Question(q); typ != wire.TypeSRV && typ != wire.TypeANY {
		return z.negative(m)
	}
	for i, p := range ports {
		m.Answer = append(m.Answer, &wire.SRV{
			Hdr: wire.Header{Name: name, TTL: localTTL, Class: wire.ClassINET},
			SRV: rdata.SRV{Priority: 0, Weight: 1, Port: p.Number, Target: p.name + "."},
		})
		if slices.ContainsFunc(ports[:i], func(o target) bool { return o.name == p.name }) {
			continue
		}
		addrs, _ := z.lookup(v, p.name)
		for _, a := range addrs {
			if rr := addressRecord(p.name+".", wire.TypeANY, a); rr != nil {
				m.Extra = append(m.Extra, rr)
			}
		}
	}
	return m
}

func addressRecord(name string, typ uint16, a netip.Addr) wire.RR {
	h := wire.Header{Name: name, TTL: localTTL, Class: wire.ClassINET}
	switch {
	case a.Is4() && (typ == wire.TypeA || typ == wire.TypeANY):
		return &wire.A{Hdr: h, A: rdata.A{Addr: a}}
	case a.Is6() && (typ == wire.TypeAAAA || typ == wire.TypeANY):
		return &wire.AAAA{Hdr: h, AAAA: rdata.AAAA{Addr: a}}
	}
	return nil
}

func (z *Zone) answerReverse(v view, q *wire.Msg, name string) *wire.Msg {
	a := dnsutil.AddrReverse(name)
	if !a.IsValid() {
		return nil
	}
	host, r := z.reverse(v, a)
	m, found := z.begin(q, r)
	if !found {
		return m
	}
	if _, typ := dnsutil.Question(q); typ != wire.TypePTR && typ != wire.TypeANY {
		return z.negative(m)
	}
	m.Answer = []wire.RR{&wire.PTR{
		Hdr: wire.Header{Name: name, TTL: localTTL, Class: wire.ClassINET},
		PTR: rdata.PTR{Ptr: host + "."},
	}}
	return m
}

// negative adds the record that lets resolvers remember a missing name.
func (z *Zone) negative(m *wire.Msg) *wire.Msg {
	m.Authoritative = true
	m.Ns = []wire.RR{&wire.SOA{
		Hdr: wire.Header{Name: z.domain + ".", TTL: negativeTTL, Class: wire.ClassINET},
		SOA: rdata.SOA{Ns: nodeName + "." + z.domain + ".", Mbox: "hostmaster." + z.domain + ".",
			Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: negativeTTL},
	}}
	return m
}

// reply begins the reply to a query.
func reply(q *wire.Msg, rcode uint16) *wire.Msg {
	m := &wire.Msg{Question: q.Question}
	m.ID, m.Opcode, m.Rcode = q.ID, q.Opcode, rcode
	m.Response, m.RecursionDesired, m.RecursionAvailable = true, q.RecursionDesired, true
	if q.UDPSize > 0 {
		m.UDPSize = maxUDP
	}
	return m
}

// pack encodes a reply for a transport that carries up to limit bytes. One
// that does not fit says that it is truncated, so the client asks by TCP.
func pack(m *wire.Msg, limit int) ([]byte, error) {
	m.Data = nil
	if err := m.Pack(); err != nil {
		return nil, err
	}
	if len(m.Data) <= limit {
		return m.Data, nil
	}
	m.Answer, m.Ns, m.Extra, m.Truncated = nil, nil, nil, true
	m.Data = nil
	if err := m.Pack(); err != nil {
		return nil, err
	}
	return m.Data, nil
}

// udpLimit is how much the client takes in one datagram.
func udpLimit(q *wire.Msg) int {
	return max(wire.MinMsgSize, min(int(q.UDPSize), maxUDP))
}
