package nft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// Tables are the names of the kernel's tables of this network namespace that
// are name, or begin with name and a dash; sorted.
func Tables(name string) ([]string, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	all, err := c.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", err)
	}
	var names []string
	for _, t := range all {
		if t.Name == name || strings.HasPrefix(t.Name, name+"-") {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
