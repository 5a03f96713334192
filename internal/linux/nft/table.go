package nft

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// elementsPerMessage keeps a list of elements within the 64 KiB that an
// attribute of netlink may have. It is even: an interval is two elements.
const elementsPerMessage = 256

// Table is virga's table in the network namespace it was opened in. Its
// methods may be called concurrently.
type Table struct {
	name string

	mu         sync.Mutex
	conn       *nftables.Conn         // +checklocks:mu
	gen        *netlink.Conn          // +checklocks:mu
	sets       sets                   // +checklocks:mu; as of the last Set
	networks   []Network              // +checklocks:mu; as of the last Set
	published  map[Published]struct{} // +checklocks:mu
	generation uint32                 // +checklocks:mu; when the table was last seen to be right
}

// Open connects to the netfilter of the caller's network namespace. It changes
// nothing; ports that an earlier daemon published stay published.
func Open(name string) (*Table, error) {
	c, g, err := dial()
	if err != nil {
		return nil, err
	}
	t := &Table{name: name, conn: c, gen: g, published: map[Published]struct{}{}}
	t.sets = newSets(t.table())
	there, err := t.read()
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	for _, p := range there {
		t.published[p] = struct{}{}
	}
	return t, nil
}

// largest is what one transaction may have. A node with hundreds of services has
// tens of thousands of elements, more than a socket takes by itself. It is a
// bound, not a reservation.
const largest = 64 << 20

// open opens a socket for transactions.
func open() (*nftables.Conn, error) {
	return nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(largest), c.SetReadBuffer(largest))
	}))
}

// dial opens the two sockets that a table needs.
func dial() (*nftables.Conn, *netlink.Conn, error) {
	c, err := open()
	if err != nil {
		return nil, nil, fmt.Errorf("open nftables: %w", err)
	}
	g, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open nftables: %w", err), c.CloseLasting())
	}
	return c, g, nil
}

// Close closes the sockets and leaves the table as it is.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.conn.CloseLasting(), t.gen.Close())
}

func (t *Table) table() *nftables.Table {
	return &nftables.Table{Name: t.name, Family: nftables.TableFamilyINet}
}

// Set makes the networks those given, in one transaction; published ports stay.
// Safe to repeat.
func (t *Table) Set(networks []Network) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.networks = slices.Clone(networks)
	return t.write()
}

// write replaces the whole table.
//
// +checklocks:t.mu
func (t *Table) write() error {
	table := t.table()
	// Adding before deleting makes the delete succeed when there is none.
	t.conn.AddTable(table)
	t.conn.DelTable(table)
	t.conn.AddTable(table)
	s := newSets(table)
	elements := s.elements(t.networks, maps.Keys(t.published))
	for _, set := range s.all() {
		if err := t.conn.AddSet(set, nil); err != nil {
			return fmt.Errorf("add nftables set %s: %w", set.Name, err)
		}
		for chunk := range slices.Chunk(elements[set], elementsPerMessage) {
			if err := t.conn.SetAddElements(set, chunk); err != nil {
				return fmt.Errorf("fill nftables set %s: %w", set.Name, err)
			}
		}
	}
	for _, c := range chains(table, s) {
		t.conn.AddChain(c.Chain)
		for _, exprs := range c.rules {
			t.conn.AddRule(&nftables.Rule{Table: table, Chain: c.Chain, Exprs: exprs})
		}
	}
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("set nftables table %s: %w", t.name, err)
	}
	t.sets = s
	return nil
}

// Publish adds ports; one that is published already is left as it is. Set must
// have been called.
func (t *Table) Publish(ports ...Published) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fresh []Published
	for _, p := range ports {
		if _, ok := t.published[p]; !ok {
			fresh = append(fresh, p)
		}
	}
	if err := t.change("publish", fresh, t.conn.SetAddElements); err != nil {
		return err
	}
	for _, p := range fresh {
		t.published[p] = struct{}{}
	}
	return nil
}

// Unpublish takes ports back; one that is not published is no error.
func (t *Table) Unpublish(ports ...Published) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var known []Published
	for _, p := range ports {
		if _, ok := t.published[p]; ok {
			known = append(known, p)
			delete(t.published, p)
		}
	}
	err := t.change("unpublish", known, t.conn.SetDeleteElements)
	if errors.Is(err, unix.ENOENT) {
		// Someone flushed the table: what is wanted now is without them.
		return t.write()
	}
	return err
}

// +checklocks:t.mu
func (t *Table) change(op string, ports []Published, f func(*nftables.Set, []nftables.SetElement) error) error {
	if len(ports) == 0 {
		return nil
	}
	for _, p := range ports {
		set, e := t.sets.published(p)
		if err := f(set, []nftables.SetElement{e}); err != nil {
			return fmt.Errorf("%s port %d: %w", op, p.HostPort, err)
		}
	}
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("%s ports: %w", op, err)
	}
	return nil
}

// Published lists the ports that are published.
func (t *Table) Published() []Published {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.published))
}

// Delete removes the table; one that is gone is no error.
func (t *Table) Delete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn.AddTable(t.table())
	t.conn.DelTable(t.table())
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("delete nftables table %s: %w", t.name, err)
	}
	clear(t.published)
	return nil
}
