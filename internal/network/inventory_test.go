package network

import (
	"slices"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// Every table of the kernel is on the list, the guard's too.
func TestEveryTableIsListed(t *testing.T) {
	f := newFabric(t, Config{})
	all, err := f.Resources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{f.config.Table, f.config.Table + "-guard"} {
		if !slices.Contains(all, api.Resource{Kind: kindRule, Name: name, Owner: ownerNode}) {
			t.Errorf("table %s is not among %v", name, all)
		}
	}
}
