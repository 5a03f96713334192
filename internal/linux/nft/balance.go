package nft

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"golang.org/x/sys/unix"
)

// Balanced is a port whose connections the kernel spreads over targets. The
// clients' addresses are preserved.
type Balanced struct {
	Protocol uint8 // IPPROTO_TCP or IPPROTO_UDP
	// At is the address and port balanced; an unspecified address is every
	// address of the node of its family, which is that of the targets too.
	At netip.AddrPort
	// Sticky keeps a client's address at one target.
	Sticky  bool
	Targets []Target
}

// Balance is a table of its own beside a Table: balanced ports, and the guard
// of the addresses that only this node and its bridges may use. Its methods may
// be called concurrently.
//
//	chain         hook, priority      what it does
//	front-guard   prerouting, -300    nobody outside reaches a service's address
//	balance       prerouting, -105    DNAT of balanced ports
//	balance-own   output, -105        the same for the node's own packets
//
// A port has Slots elements in a map; its connections choose one at random or
// by a hash of their source, so a rule is one lookup however many services
// there are, and a change of backends changes just the elements that differ.
type Balance struct {
	bridges string // what the names of the node's bridges begin with

	mu    sync.Mutex
	table *Table                  // +checklocks:mu; the connection, and the name
	want  map[*nftables.Set]items // +checklocks:mu; as of the last Set; nil before
	sets  balanceSets             // +checklocks:mu
	seen  uint32                  // +checklocks:mu; generation when it was last right
	ports []Balanced              // +checklocks:mu; as of the last Set
}

// items are the elements of a set: values by key, "" in a set that is no map.
type items map[string]string

// OpenBalance connects to the netfilter of the caller's network namespace. It
// changes nothing: what an earlier daemon set goes on until the first Set.
func OpenBalance(name, bridges string) (*Balance, error) {
	c, g, err := dial()
	if err != nil {
		return nil, err
	}
	return &Balance{bridges: bridges, table: &Table{name: name, conn: c, gen: g}}, nil
}

// Close closes the sockets and leaves the table as it is.
func (b *Balance) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.table.conn.CloseLasting(), b.table.gen.Close())
}

// Set makes the balanced ports and the guarded addresses those given, in one
// transaction. Connections that exist go on, to targets that are gone too;
// datagrams, which have none, are led anew when their target is gone. Safe to
// repeat.
func (b *Balance) Set(ports []Balanced, addresses []netip.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.ports
	b.ports = slices.Clone(ports)
	return errors.Join(b.set(before, ports, addresses), forgetGone(before, ports))
}

// forgetGone ends the kernel's memory of datagrams to targets that are gone.
func forgetGone(before, after []Balanced) error {
	stays := map[netip.AddrPort]map[netip.AddrPort]bool{}
	for _, p := range after {
		if p.Protocol != unix.IPPROTO_UDP {
			continue
		}
		stays[p.At] = map[netip.AddrPort]bool{}
		for _, t := range p.Targets {
			stays[p.At][t.To] = true
		}
	}
	var errs []error
	for _, p := range before {
		for _, t := range p.Targets {
			if p.Protocol == unix.IPPROTO_UDP && !stays[p.At][t.To] {
				errs = append(errs, forgetUDP(p.At.Port(), t.To.Addr()))
			}
		}
	}
	return errors.Join(errs...)
}

// +checklocks:b.mu
func (b *Balance) set(before, ports []Balanced, addresses []netip.Addr) error {
	if b.want == nil {
		if len(ports) == 0 && len(addresses) == 0 {
			return b.clear() // what an earlier daemon left
		}
		b.sets = newBalanceSets(b.table.table())
		b.want = b.sets.items(ports, addresses)
		return b.write()
	}
	// Just what changed is computed: of a large node it is little.
	gone, fresh := differing(before, ports)
	had, has := b.sets.items(gone, nil), b.sets.items(fresh, addresses)
	for _, set := range b.sets.guarded {
		had[set] = b.want[set]
	}
	changed, err := b.change(had, has)
	if err == nil && changed {
		err = b.flush()
	}
	for _, set := range b.sets.guarded {
		b.want[set] = has[set]
	}
	for _, set := range b.sets.maps() {
		for k := range had[set] {
			delete(b.want[set], k)
		}
		maps.Copy(b.want[set], has[set])
	}
	if err != nil {
		return b.write() // someone flushed the table
	}
	return nil
}

// differing are the ports that are no longer as they were, and as they are now.
func differing(before, after []Balanced) (gone, fresh []Balanced) {
	type key struct {
		protocol uint8
		at       netip.AddrPort
		sticky   bool
	}
	byKey := func(ports []Balanced) map[key]Balanced {
		out := make(map[key]Balanced, len(ports))
		for _, p := range ports {
			out[key{p.Protocol, p.At, p.Sticky}] = p
		}
		return out
	}
	had, has := byKey(before), byKey(after)
	for k, p := range had {
		if q, ok := has[k]; !ok || !slices.Equal(p.Targets, q.Targets) {
			gone = append(gone, p)
		}
	}
	for k, p := range has {
		if q, ok := had[k]; !ok || !slices.Equal(p.Targets, q.Targets) {
			fresh = append(fresh, p)
		}
	}
	return gone, fresh
}

// change queues what differs between elements that are there and wanted ones.
//
// +checklocks:b.mu
func (b *Balance) change(had, has map[*nftables.Set]items) (bool, error) {
	changed := false
	for _, set := range b.sets.all() {
		gone, fresh := difference(had[set], has[set])
		for chunk := range slices.Chunk(gone, elementsPerMessage) {
			changed = true
			if err := b.table.conn.SetDeleteElements(set, chunk); err != nil {
				return changed, err
			}
		}
		for chunk := range slices.Chunk(fresh, elementsPerMessage) {
			changed = true
			if err := b.table.conn.SetAddElements(set, chunk); err != nil {
				return changed, err
			}
		}
	}
	return changed, nil
}

// difference are the elements to take out of a set and to put into it.
func difference(have, want items) (gone, fresh []nftables.SetElement) {
	for k, v := range have {
		if w, ok := want[k]; !ok || w != v {
			gone = append(gone, nftables.SetElement{Key: []byte(k), Val: value(v)})
		}
	}
	for k, v := range want {
		if h, ok := have[k]; !ok || h != v {
			fresh = append(fresh, nftables.SetElement{Key: []byte(k), Val: value(v)})
		}
	}
	order := func(a, b nftables.SetElement) int { return bytes.Compare(a.Key, b.Key) }
	slices.SortFunc(gone, order)
	slices.SortFunc(fresh, order)
	return gone, fresh
}

func value(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// write replaces the whole table.
//
// +checklocks:b.mu
func (b *Balance) write() error {
	c, table := b.table.conn, b.table.table()
	c.AddTable(table)
	c.DelTable(table)
	c.AddTable(table)
	for _, set := range b.sets.all() {
		if err := c.AddSet(set, nil); err != nil {
			return fmt.Errorf("add nftables set %s: %w", set.Name, err)
		}
		_, all := difference(nil, b.want[set])
		for chunk := range slices.Chunk(all, elementsPerMessage) {
			if err := c.SetAddElements(set, chunk); err != nil {
				return fmt.Errorf("fill nftables set %s: %w", set.Name, err)
			}
		}
	}
	for _, ch := range balanceChains(table, b.sets, b.bridges) {
		c.AddChain(ch.Chain)
		for _, exprs := range ch.rules {
			c.AddRule(&nftables.Rule{Table: table, Chain: ch.Chain, Exprs: exprs})
		}
	}
	return b.flush()
}

// +checklocks:b.mu
func (b *Balance) flush() error {
	if err := b.table.conn.Flush(); err != nil {
		return fmt.Errorf("set nftables table %s: %w", b.table.name, err)
	}
	return nil
}

// Delete removes the table; one that is gone is no error.
func (b *Balance) Delete() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.want = nil
	return b.clear()
}

// +checklocks:b.mu
func (b *Balance) clear() error {
	b.table.conn.AddTable(b.table.table())
	b.table.conn.DelTable(b.table.table())
	return b.flush()
}

// Repair writes the table again when another program has changed it, and says
// whether it had to.
func (b *Balance) Repair() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.want == nil {
		return false, nil
	}
	b.table.mu.Lock()
	defer b.table.mu.Unlock()
	now, err := b.table.now()
	if err != nil || now == b.seen {
		return false, err
	}
	if !b.intact() {
		return true, b.write()
	}
	b.seen = now
	return false, nil
}

// intact compares the table in the kernel with what was set.
//
// +checklocks:b.mu
func (b *Balance) intact() bool {
	for _, set := range b.sets.all() {
		if _, want := difference(nil, b.want[set]); !holds(b.table.conn, set, want) {
			return false
		}
	}
	for _, c := range balanceChains(b.table.table(), b.sets, b.bridges) {
		rules, err := b.table.conn.GetRules(b.table.table(), c.Chain)
		if err != nil || len(rules) != len(c.rules) {
			return false
		}
	}
	return true
}

// items are the elements of every set.
func (s balanceSets) items(ports []Balanced, addresses []netip.Addr) map[*nftables.Set]items {
	out := map[*nftables.Set]items{}
	for _, set := range s.all() {
		out[set] = items{}
	}
	for _, a := range addresses {
		out[s.guarded[version(a)]][string(a.AsSlice())] = ""
	}
	for _, p := range ports {
		set := s.spread[version(p.At.Addr())]
		if p.Sticky {
			set = s.sticky[version(p.At.Addr())]
		}
		targets := slices.Clone(p.Targets)
		slices.SortFunc(targets, func(a, b Target) int { return a.To.Compare(b.To) })
		for slot, i := range assign(targets) {
			key := slices.Concat(p.At.Addr().AsSlice(), word([]byte{p.Protocol}),
				word(binaryutil.BigEndian.PutUint16(p.At.Port())), binaryutil.NativeEndian.PutUint32(uint32(slot)))
			to := targets[i].To
			out[set][string(key)] = string(slices.Concat(to.Addr().AsSlice(), word(binaryutil.BigEndian.PutUint16(to.Port()))))
		}
	}
	return out
}
