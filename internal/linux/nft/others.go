package nft

import (
	"fmt"
	"slices"

	"github.com/google/nftables"
)

// Droppers names the chains of other programs that drop what is forwarded unless
// a rule of theirs allows it: a packet passes only when every table lets it.
// own says which tables are virga's. Those that a Passage gets by are left out.
func (t *Table) Droppers(own func(table string) bool) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, err := t.conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	passages := map[string]bool{} // tables with a chain for the rules of others
	table := func(c *nftables.Chain) string { return familyNames[c.Table.Family] + " " + c.Table.Name }
	for _, c := range all {
		passages[table(c)] = passages[table(c)] || c.Name == passageChain
	}
	out, err := legacyDroppers()
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if familyNames[c.Table.Family] != "" && !own(c.Table.Name) && dropsForwarded(c) && !passages[table(c)] {
			out = append(out, chainName(c))
		}
	}
	slices.Sort(out)
	return out, nil
}
