package nft

import (
	"fmt"
	"slices"

	"github.com/google/nftables"
)

// Droppers names the chains of other programs that drop what is forwarded unless
// a rule of theirs allows it: a packet passes only when every table lets it.
// own says which tables are virga's. Nothing of other programs is changed.
func (t *Table) Droppers(own func(table string) bool) ([]string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, err := t.conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list nftables chains: %w", err)
	}
	names := map[nftables.TableFamily]string{
		nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6", nftables.TableFamilyINet: "inet", nftables.TableFamilyBridge: "bridge",
	}
	var out []string
	for _, c := range all {
		family, ok := names[c.Table.Family]
		if !ok || own(c.Table.Name) || c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookForward {
			continue
		}
		if c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
			out = append(out, family+" "+c.Table.Name+" "+c.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}
