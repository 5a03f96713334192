package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Guarded is a link and the only sender that it may have: one hardware address
// and its addresses of both families. The IPv6 link-local address that goes
// with the hardware address is its own too.
type Guarded struct {
	Link  int // index of the node's end, which belongs to a bridge
	MAC   net.HardwareAddr
	Addrs []netip.Addr
}

// Reason says what a dropped frame pretended.
type Reason uint32

const (
	SpoofedMAC          Reason = iota + 1 // another hardware address
	SpoofedAddress                        // another IPv4 or IPv6 source address
	SpoofedAnnouncement                   // by ARP or neighbour discovery, to have another's address or to be a router; by DHCP, to be a server
	StrangeProtocol                       // neither IPv4 nor IPv6 nor ARP, or in a VLAN
)

// Guard is a table of family bridge that lets nobody send as somebody else. An
// honest IPv4 packet costs one lookup of link, hardware and source address; so
// does one of IPv6. Links that are not guarded, such as other programs', cost
// one more and pass. It has room for 32,768 addresses of each family; Put
// refuses what is beyond. Its methods may be called concurrently.
//
//	chain   hook, priority      what it does
//	guard   prerouting, -310    drops what a guarded link may not send, and counts it by link and reason
type Guard struct {
	mu    sync.Mutex
	table *Table            // +checklocks:mu; the connection, and the name
	sets  guardSets         // +checklocks:mu
	keys  map[int]guardKeys // +checklocks:mu; of every guarded link
	seen  uint32            // +checklocks:mu; generation when it was last right
}

// guardKeys are a link's elements of each of the fixed sets.
type guardKeys [4][]string

// OpenGuard connects to the netfilter of the caller's network namespace. Links
// that an earlier daemon guarded stay guarded; those that keep does not want
// are forgotten.
func OpenGuard(name string, keep func(link int) bool) (*Guard, error) {
	c, gen, err := dial()
	if err != nil {
		return nil, err
	}
	g := &Guard{table: &Table{name: name, conn: c, gen: gen}, keys: map[int]guardKeys{}}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sets = newGuardSets(g.nft())
	for i, set := range g.sets.fixed() {
		have, err := c.GetSetElements(set)
		if err != nil {
			continue // there is none
		}
		for _, e := range have {
			if link := linkOf(e); keep(link) {
				k := g.keys[link]
				k[i] = append(k[i], string(e.Key))
				g.keys[link] = k
			}
		}
	}
	if err := g.write(); err != nil {
		return nil, errors.Join(err, c.CloseLasting(), gen.Close())
	}
	return g, nil
}

// +checklocks:g.mu
func (g *Guard) nft() *nftables.Table {
	return &nftables.Table{Name: g.table.name, Family: nftables.TableFamilyBridge}
}

// Close closes the sockets and leaves the table as it is.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.table.conn.CloseLasting(), g.table.gen.Close())
}

// Put guards links, from before it returns. What one was guarded as before is
// replaced in the same transaction. Safe to repeat.
func (g *Guard) Put(links ...Guarded) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := map[int]guardKeys{}
	for _, l := range links {
		next[l.Link] = l.keys()
	}
	return g.change(next)
}

// Remove ends the guard of links that are gone; one that is not guarded is no
// error.
func (g *Guard) Remove(links ...int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := map[int]guardKeys{}
	for _, l := range links {
		if _, ok := g.keys[l]; ok {
			next[l] = guardKeys{}
		}
	}
	return g.change(next)
}

// Links is how many are guarded.
func (g *Guard) Links() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.keys)
}

// change gives links new elements; none is the end of a link's guard.
//
// +checklocks:g.mu
func (g *Guard) change(next map[int]guardKeys) error {
	var err error
	changed := false
	for i, set := range g.sets.fixed() {
		var gone, fresh []nftables.SetElement
		for link, keys := range next {
			gone = append(gone, without(g.keys[link][i], keys[i])...)
			fresh = append(fresh, without(keys[i], g.keys[link][i])...)
		}
		for chunk := range slices.Chunk(gone, elementsPerMessage) {
			changed, err = true, errors.Join(err, g.table.conn.SetDeleteElements(set, chunk))
		}
		for chunk := range slices.Chunk(fresh, elementsPerMessage) {
			changed, err = true, errors.Join(err, g.table.conn.SetAddElements(set, chunk))
		}
	}
	for link, keys := range next {
		g.keys[link] = keys
		if len(keys[0]) == 0 {
			delete(g.keys, link)
		}
	}
	if err == nil && changed {
		err = g.table.conn.Flush()
	}
	if err != nil {
		return g.write() // someone flushed the table
	}
	return nil
}

// without are the elements of a that are not in b.
func without(a, b []string) []nftables.SetElement {
	var out []nftables.SetElement
	for _, k := range a {
		if !slices.Contains(b, k) {
			out = append(out, nftables.SetElement{Key: []byte(k)})
		}
	}
	return out
}

// write replaces the whole table; counts begin anew.
//
// +checklocks:g.mu
func (g *Guard) write() error {
	c, table := g.table.conn, g.nft()
	c.AddTable(table)
	c.DelTable(table)
	c.AddTable(table)
	for _, set := range g.sets.all() {
		if err := c.AddSet(set, nil); err != nil {
			return fmt.Errorf("add nftables set %s: %w", set.Name, err)
		}
	}
	for i, set := range g.sets.fixed() {
		for chunk := range slices.Chunk(g.elements(i), elementsPerMessage) {
			if err := c.SetAddElements(set, chunk); err != nil {
				return fmt.Errorf("fill nftables set %s: %w", set.Name, err)
			}
		}
	}
	chains := guardChains(table, g.sets)
	for _, ch := range chains {
		c.AddChain(ch.Chain)
	}
	for _, ch := range chains {
		for _, exprs := range ch.rules {
			c.AddRule(&nftables.Rule{Table: table, Chain: ch.Chain, Exprs: exprs})
		}
	}
	err := c.Flush()
	if errors.Is(err, unix.ENFILE) {
		return fmt.Errorf("guard links with more than %d addresses: %w", maxSenders, err)
	}
	if err != nil {
		return fmt.Errorf("set nftables table %s: %w", g.table.name, err)
	}
	return nil
}

// elements are those of one of the fixed sets.
//
// +checklocks:g.mu
func (g *Guard) elements(i int) []nftables.SetElement {
	var out []nftables.SetElement
	for _, keys := range g.keys {
		out = append(out, without(keys[i], nil)...)
	}
	return out
}

// Dropped counts what each link was not let send, since the table was written.
func (g *Guard) Dropped() (map[int]map[Reason]Count, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	elements, err := g.table.conn.GetSetElements(g.sets.dropped)
	if errors.Is(err, errNoEntry) {
		return nil, nil // flushed; it is put back soon
	}
	if err != nil {
		return nil, fmt.Errorf("read nftables set %s: %w", g.sets.dropped.Name, err)
	}
	out := map[int]map[Reason]Count{}
	for _, e := range elements {
		if len(e.Key) < 8 || e.Counter == nil {
			continue
		}
		link, reason := linkOf(e), Reason(binary.NativeEndian.Uint32(e.Key[4:]))
		if out[link] == nil {
			out[link] = map[Reason]Count{}
		}
		out[link][reason] = Count{e.Counter.Packets, e.Counter.Bytes}
	}
	return out, nil
}

// Delete removes the table; one that is gone is no error.
func (g *Guard) Delete() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.keys)
	g.table.conn.AddTable(g.nft())
	g.table.conn.DelTable(g.nft())
	if err := g.table.conn.Flush(); err != nil {
		return fmt.Errorf("delete nftables table %s: %w", g.table.name, err)
	}
	return nil
}

// Repair writes the table again when another program has changed it, and says
// whether it had to.
func (g *Guard) Repair() (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	now, err := g.table.now()
	if err != nil || now == g.seen {
		return false, err
	}
	if !g.intact() {
		return true, g.write()
	}
	g.seen = now
	return false, nil
}

// intact compares the table in the kernel with what was set.
//
// +checklocks:g.mu
func (g *Guard) intact() bool {
	for i, set := range g.sets.fixed() {
		got, err := g.table.conn.GetSetElements(set)
		if err != nil || fingerprint(got) != fingerprint(g.elements(i)) {
			return false // a set that cannot be read is not there
		}
	}
	for _, c := range guardChains(g.nft(), g.sets) {
		rules, err := g.table.conn.GetRules(g.nft(), c.Chain)
		if err != nil || len(rules) != len(c.rules) {
			return false
		}
	}
	return true
}
