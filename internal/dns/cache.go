package dns

import (
	"encoding/binary"
	"sync"
	"time"

	wire "codeberg.org/miekg/dns"
)

const (
	cacheSize = 4096 // replies
	// maxTTL bounds what a reply may ask for; of a negative one maxNegative.
	maxTTL      = time.Hour
	maxNegative = 5 * time.Minute
	// minTTL is how long a reply is remembered even when it forbids that, so
	// that a storm of the same query asks once.
	minTTL = time.Second
	// unknownTTL is for replies without any record, such as errors.
	unknownTTL = 2 * time.Second
)

// question is what replies are remembered by. What differs by client is in it.
type question struct {
	name      string // lower case
	typ       uint16
	edns      bool
	dnssec    bool
	unchecked bool
	upstreams string
}

// cache remembers replies of name servers for as long as they allow.
type cache struct {
	mu      sync.Mutex
	entries map[question]entry // +checklocks:mu
}

// entry is a reply as it goes out, ids and times apart.
type entry struct {
	reply  []byte
	ttls   []int // where in reply the times to live are
	stored time.Time
	until  time.Time
}

// get writes the remembered reply to a query, which has q as its question,
// into room, with its times to live counted down. 0 is none: it is not known,
// or does not fit.
func (c *cache) get(room []byte, q question, query []byte, now time.Time) int {
	c.mu.Lock()
	e, ok := c.entries[q]
	if ok && !now.Before(e.until) {
		delete(c.entries, q)
		ok = false
	}
	c.mu.Unlock()
	end := questionEnd(query)
	if !ok || len(e.reply) > len(room) || end == 0 || questionEnd(e.reply) != end {
		return 0
	}
	n := copy(room, e.reply)
	copy(room, query[:2])                                             // id
	room[2] = room[2]&^1 | query[2]&1                                 // recursion desired
	copy(room[wire.MsgHeaderSize:end], query[wire.MsgHeaderSize:end]) // the name in the client's own letters
	age := uint32(now.Sub(e.stored) / time.Second)
	for _, at := range e.ttls {
		ttl := min(binary.BigEndian.Uint32(room[at:]), uint32(maxTTL/time.Second))
		binary.BigEndian.PutUint32(room[at:], ttl-min(age, ttl))
	}
	return n
}

// put remembers a reply, which raw encodes. A full cache drops what is stale,
// then anything.
func (c *cache) put(q question, m *wire.Msg, raw []byte, now time.Time) {
	if m.Truncated || m.Rcode != wire.RcodeSuccess && m.Rcode != wire.RcodeNameError {
		return
	}
	ttls, ok := timesToLive(raw)
	if !ok {
		return
	}
	e := entry{reply: raw, ttls: ttls, stored: now, until: now.Add(max(lifetime(m), minTTL))}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[question]entry{}
	}
	if len(c.entries) >= cacheSize {
		c.evict(now)
	}
	c.entries[q] = e
}

// evict makes room: stale entries go, and if there are none an arbitrary tenth.
//
// +checklocks:c.mu
func (c *cache) evict(now time.Time) {
	for q, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, q)
		}
	}
	for q := range c.entries {
		if len(c.entries) <= cacheSize*9/10 {
			return
		}
		delete(c.entries, q)
	}
}

// lifetime is the smallest time to live of a reply's records; of a negative
// one also the SOA's minimum.
func lifetime(m *wire.Msg) time.Duration {
	most := maxTTL
	if len(m.Answer) == 0 {
		most = maxNegative
	}
	ttl, any := uint32(most/time.Second), false
	for _, section := range [][]wire.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			ttl, any = min(ttl, rr.Header().TTL), true
			if soa, ok := rr.(*wire.SOA); ok && len(m.Answer) == 0 {
				ttl = min(ttl, soa.Minttl)
			}
		}
	}
	if !any {
		return unknownTTL
	}
	return time.Duration(ttl) * time.Second
}

// questionEnd is where the only question of a message ends, 0 when it has
// another number of them.
func questionEnd(b []byte) int {
	if len(b) < wire.MsgHeaderSize || binary.BigEndian.Uint16(b[4:]) != 1 {
		return 0
	}
	end := skipName(b, wire.MsgHeaderSize)
	if end == 0 || end+4 > len(b) {
		return 0
	}
	return end + 4
}

// skipName is where a name that begins at an offset ends, 0 when it does not.
func skipName(b []byte, at int) int {
	for at < len(b) {
		switch n := int(b[at]); {
		case n == 0:
			return at + 1
		case n >= 0xc0:
			return at + 2
		case n >= 0x40:
			return 0
		default:
			at += 1 + n
		}
	}
	return 0
}

// timesToLive are the offsets of the times to live of a message's records,
// that of EDNS apart, which is none.
func timesToLive(b []byte) ([]int, bool) {
	at := questionEnd(b)
	if at == 0 {
		return nil, false
	}
	var out []int
	records := int(binary.BigEndian.Uint16(b[6:])) + int(binary.BigEndian.Uint16(b[8:])) + int(binary.BigEndian.Uint16(b[10:]))
	for range records {
		at = skipName(b, at)
		if at == 0 || at+10 > len(b) {
			return nil, false
		}
		if binary.BigEndian.Uint16(b[at:]) != wire.TypeOPT {
			out = append(out, at+4)
		}
		at += 10 + int(binary.BigEndian.Uint16(b[at+8:]))
		if at > len(b) {
			return nil, false
		}
	}
	return out, true
}
