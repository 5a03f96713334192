package autoconf

import (
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"golang.org/x/time/rate"
)

// What one guest may ask, all protocols together: a start takes about five
// questions. What comes faster is not answered.
const (
	questionsPerSecond = 10
	questionsAtOnce    = 20
)

// desk answers the guests of one network. It has no sockets: it is bytes in,
// bytes out.
type desk struct {
	log *slog.Logger

	mu      sync.RWMutex
	network Network                // +checklocks:mu
	byMAC   map[[6]byte]*client    // +checklocks:mu
	byLocal map[netip.Addr]*client // +checklocks:mu; by link-local address
}

type client struct {
	Guest
	bucket *rate.Limiter
}

func newDesk(log *slog.Logger) *desk { return &desk{log: log} }

// set makes guests those that are answered, and returns those that are to be
// told of a change.
func (d *desk) set(n Network, guests []Guest) (changed []Guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.byMAC
	d.network, d.byMAC, d.byLocal = n, map[[6]byte]*client{}, map[netip.Addr]*client{}
	for _, g := range guests {
		if len(g.MAC) != 6 {
			continue
		}
		c := &client{Guest: g}
		if was := before[[6]byte(g.MAC)]; was != nil {
			c.bucket = was.bucket // a change is no way to ask more
			if !reflect.DeepEqual(was.Guest, g) {
				changed = append(changed, g)
			}
		} else {
			c.bucket = rate.NewLimiter(questionsPerSecond, questionsAtOnce)
		}
		d.byMAC[[6]byte(g.MAC)], d.byLocal[g.linkLocal()] = c, c
	}
	return changed
}

// guests are all of them, and their network.
func (d *desk) guests() (Network, []Guest) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []Guest
	for _, c := range d.byMAC {
		out = append(out, c.Guest)
	}
	return d.network, out
}

// answer4 answers a DHCPv4 message: a packet for a hardware address, or nil. Who
// has an address yet can ask for itself alone, as the guard sees to it for who
// has none: else it would ask out of another's bucket.
func (d *desk) answer4(b []byte, from netip.Addr) (packet []byte, to net.HardwareAddr) {
	mac, ok := hardware4(b)
	if !ok {
		return nil, nil
	}
	n, c := d.find(func() *client {
		c := d.byMAC[[6]byte(mac)]
		if c != nil && !from.IsUnspecified() && from != c.Addr {
			return nil
		}
		return c
	})
	if c == nil {
		return nil, nil
	}
	m, err := dhcpv4.FromBytes(b)
	if err != nil {
		return nil, nil
	}
	r, note := answer4(n, c.Guest, m)
	d.note(n, c.Guest, note)
	if r == nil {
		return nil, nil
	}
	return packet4(netip.AddrPortFrom(n.Gateway, 67), netip.AddrPortFrom(destination4(r), 68), r.ToBytes()), c.MAC
}

// answer6 answers a DHCPv6 message for its sender, or nil.
func (d *desk) answer6(b []byte, from netip.Addr) []byte {
	n, c := d.find(func() *client { return d.byLocal[from.WithZone("")] })
	if c == nil {
		return nil
	}
	m, err := dhcpv6.MessageFromBytes(b)
	if err != nil {
		return nil
	}
	r, note := answer6(n, c.Guest, m)
	d.note(n, c.Guest, note)
	if r == nil {
		return nil
	}
	return r.ToBytes()
}

// solicited is the guest that asks for a router; false when it is none.
func (d *desk) solicited(b []byte, from netip.Addr, hops int) (Network, Guest, bool) {
	if !solicited(b, from, hops) {
		return Network{}, Guest{}, false
	}
	n, c := d.find(func() *client { return d.byLocal[from.WithZone("")] })
	if c == nil {
		return n, Guest{}, false
	}
	return n, c.Guest, true
}

// find looks a guest up and takes a question from its bucket; nil when it is
// not known or has asked too much.
func (d *desk) find(by func() *client) (Network, *client) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := by()
	if c == nil || !c.bucket.Allow() {
		return d.network, nil
	}
	return d.network, c
}

func (d *desk) note(n Network, g Guest, note string) {
	if note != "" {
		d.log.Warn(note, "instance", g.ID, "network", n.Key, "address", g.Addr)
	}
}
