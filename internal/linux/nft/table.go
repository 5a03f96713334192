package nft

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// elementsPerMessage keeps a list of elements within the 64 KiB that an
// attribute of netlink may have. It is even: an interval is two elements.
const elementsPerMessage = 256

// Table is virga's table in the network namespace it was opened in. Its
// methods may be called concurrently.
type Table struct {
	name string

	mu   sync.Mutex
	conn *nftables.Conn // +checklocks:mu
	sets sets           // +checklocks:mu; as of the last Set
}

// Open connects to the netfilter of the caller's network namespace. It changes
// nothing.
func Open(name string) (*Table, error) {
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	return &Table{name: name, conn: c}, nil
}

// Close closes the socket and leaves the table as it is.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.conn.CloseLasting()
}

// Set makes the table what r says, in one transaction.
func (t *Table) Set(r Ruleset) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := &nftables.Table{Name: t.name, Family: nftables.TableFamilyINet}
	// Adding before deleting makes the delete succeed when there is none.
	t.conn.AddTable(table)
	t.conn.DelTable(table)
	t.conn.AddTable(table)
	s := newSets(table)
	elements := s.elements(r)
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

// Publish adds ports; Set must have been called. A port that is published
// already is an error.
func (t *Table) Publish(ports ...Published) error {
	return t.change("publish", ports, t.conn.SetAddElements)
}

// Unpublish takes ports back; one that is not published is no error.
func (t *Table) Unpublish(ports ...Published) error {
	for _, p := range ports {
		err := t.change("unpublish", []Published{p}, t.conn.SetDeleteElements)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

func (t *Table) change(op string, ports []Published, f func(*nftables.Set, []nftables.SetElement) error) error {
	if len(ports) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
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

// Published lists the ports that the table publishes now, whoever put them
// there; none when there is no table.
func (t *Table) Published() ([]Published, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.conn.ListTableOfFamily(t.name, nftables.TableFamilyINet); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, nil
		}
		return nil, fmt.Errorf("find nftables table %s: %w", t.name, err)
	}
	s := newSets(&nftables.Table{Name: t.name, Family: nftables.TableFamilyINet})
	var out []Published
	for v := range 2 {
		for exact, m := range []*nftables.Set{s.ports[v], s.exact[v]} {
			elements, err := t.conn.GetSetElements(m)
			if err != nil {
				return nil, fmt.Errorf("list nftables map %s: %w", m.Name, err)
			}
			for _, e := range elements {
				if p, ok := parsePublished(e, v == 1, exact == 1); ok {
					out = append(out, p)
				}
			}
		}
	}
	return out, nil
}

// Delete removes the table; one that is gone is no error.
func (t *Table) Delete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := &nftables.Table{Name: t.name, Family: nftables.TableFamilyINet}
	t.conn.AddTable(table)
	t.conn.DelTable(table)
	if err := t.conn.Flush(); err != nil {
		return fmt.Errorf("delete nftables table %s: %w", t.name, err)
	}
	return nil
}
