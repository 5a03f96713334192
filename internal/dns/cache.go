package dns

import (
	"sync"
	"time"

	wire "codeberg.org/miekg/dns"
)

const (
	cacheSize = 4096 // replies
	maxTTL    = time.Hour
	// unknownTTL is for replies without any record, such as errors.
	unknownTTL = 2 * time.Second
)

// question is what replies are remembered by. What differs by client is in it.
type question struct {
	name      string // lower case
	typ       uint16
	dnssec    bool
	upstreams string
}

// cache remembers replies of name servers for as long as they allow.
type cache struct {
	mu      sync.Mutex
	entries map[question]entry // +checklocks:mu
}

type entry struct {
	reply  []byte
	stored time.Time
	until  time.Time
}

// get returns a remembered reply with its times to live counted down.
func (c *cache) get(q question, now time.Time) *wire.Msg {
	c.mu.Lock()
	e, ok := c.entries[q]
	if ok && !now.Before(e.until) {
		delete(c.entries, q)
		ok = false
	}
	c.mu.Unlock()
	if !ok {
		return nil
	}
	m := &wire.Msg{Data: append([]byte(nil), e.reply...)}
	if m.Unpack() != nil {
		return nil
	}
	age := uint32(now.Sub(e.stored) / time.Second)
	for _, section := range [][]wire.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			h := rr.Header()
			h.TTL -= min(age, h.TTL)
		}
	}
	return m
}

// put remembers a reply. A full cache drops what is stale, then anything.
func (c *cache) put(q question, m *wire.Msg, raw []byte, now time.Time) {
	if m.Truncated || m.Rcode != wire.RcodeSuccess && m.Rcode != wire.RcodeNameError {
		return
	}
	e := entry{reply: raw, stored: now, until: now.Add(lifetime(m))}
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
	ttl, any := uint32(maxTTL/time.Second), false
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
