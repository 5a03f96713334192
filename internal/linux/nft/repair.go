package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Repair writes the table again when another program has changed it, and says
// whether it had to. It costs one question to the kernel as long as nobody has
// changed anything in netfilter since the last call.
func (t *Table) Repair() (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, err := t.now()
	if err != nil || now == t.generation {
		return false, err
	}
	intact, err := t.intact()
	if err != nil {
		return false, err
	}
	if !intact {
		// The next call looks again: it may have been changed meanwhile.
		return true, t.write()
	}
	t.generation = now
	return false, nil
}

// now is netfilter's generation, which every change of any table raises.
//
// +checklocks:t.mu
func (t *Table) now() (uint32, error) {
	reply, err := t.gen.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN),
			Flags: netlink.Request,
		},
		Data: []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	})
	if err != nil {
		return 0, fmt.Errorf("read nftables generation: %w", err)
	}
	for _, m := range reply {
		if len(m.Data) < 4 {
			continue
		}
		attrs, err := netlink.UnmarshalAttributes(m.Data[4:])
		if err != nil {
			return 0, fmt.Errorf("read nftables generation: %w", err)
		}
		for _, a := range attrs {
			if a.Type == unix.NFTA_GEN_ID && len(a.Data) == 4 {
				return binary.BigEndian.Uint32(a.Data), nil
			}
		}
	}
	return 0, errors.New("read nftables generation: no answer")
}

// intact compares the table with what was set: the elements of every set and
// the number of rules of every chain.
//
// +checklocks:t.mu
func (t *Table) intact() (bool, error) {
	there, err := t.exists()
	if !there || err != nil {
		return false, err
	}
	want := t.sets.elements(t.networks, maps.Keys(t.published))
	for _, set := range t.sets.all() {
		if !holds(t.conn, set, want[set]) {
			return false, nil
		}
	}
	for _, c := range chains(t.table(), t.sets) {
		rules, err := t.conn.GetRules(t.table(), c.Chain)
		if err != nil || len(rules) != len(c.rules) {
			return false, nil
		}
	}
	return true, nil
}

// holds says whether a set has just these elements. A list of a set that grew a
// moment ago may lack some and have others twice, because the kernel goes
// through the set while it makes room in it: only a set that looks wrong for a
// while is.
func holds(c *nftables.Conn, set *nftables.Set, want []nftables.SetElement) bool {
	right := fingerprint(want)
	for pause := time.Millisecond; ; pause *= 4 {
		got, err := c.GetSetElements(set)
		if err != nil {
			return false // a set that cannot be read is not there
		}
		if fingerprint(got) == right {
			return true
		}
		if pause > 64*time.Millisecond {
			return false
		}
		time.Sleep(pause)
	}
}

// fingerprint is the same for the same elements in any order.
func fingerprint(elements []nftables.SetElement) string {
	lines := make([]string, 0, len(elements))
	for _, e := range elements {
		// The kernel says where gaps begin as well; an interval set that
		// begins above zero has a first element that ends nothing.
		if e.IntervalEnd && allZero(e.Key) {
			continue
		}
		lines = append(lines, fmt.Sprintf("%x %x %v", e.Key, e.Val, e.IntervalEnd))
	}
	slices.Sort(lines)
	return fmt.Sprint(slices.Compact(lines))
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// exists says whether the table is there.
//
// +checklocks:t.mu
func (t *Table) exists() (bool, error) {
	_, err := t.conn.ListTableOfFamily(t.name, nftables.TableFamilyINet)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find nftables table %s: %w", t.name, err)
	}
	return true, nil
}

// read lists the ports that the table in the kernel publishes.
func (t *Table) read() ([]Published, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	there, err := t.exists()
	if !there || err != nil {
		return nil, err
	}
	var out []Published
	for v := range 2 {
		for exact, m := range []*nftables.Set{t.sets.ports[v], t.sets.exact[v]} {
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
