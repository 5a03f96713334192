package network

import (
	"context"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// Kinds of resource.
const (
	kindVeth   = "veth"
	kindBridge = "bridge"
	kindRules  = "rule"
	ownerNode  = "node"
)

// Resources lists the links and rules of this daemon. A link in use belongs to
// the instance its alias names, one that is ready to the node.
func (f *Fabric) Resources(ctx context.Context) ([]api.Resource, error) {
	links, err := f.conn.List()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	bridges := map[int]*segment{}
	for _, s := range f.segments {
		bridges[s.index] = s
	}
	f.mu.Unlock()
	var out []api.Resource
	for _, l := range links {
		switch {
		case l.Kind == "bridge" && bridges[l.Index] != nil:
			out = append(out, api.Resource{Kind: kindBridge, Name: l.Name, Owner: ownerNode})
		case l.Kind == "veth" && bridges[l.Master] != nil && l.Alias == "":
			out = append(out, api.Resource{Kind: kindVeth, Name: l.Name, Owner: ownerNode})
		case l.Kind == "veth" && bridges[l.Master] != nil:
			out = append(out, api.Resource{Kind: kindVeth, Name: l.Name, Owner: l.Alias})
		}
	}
	return append(out, api.Resource{Kind: kindRules, Name: f.config.Table, Owner: ownerNode}), nil
}

// Collect gives back a link that has no owner. Idempotent.
func (f *Fabric) Collect(ctx context.Context, r api.Resource) error {
	if r.Kind != kindVeth {
		return fmt.Errorf("collect %s %s: not a resource of an instance's network", r.Kind, r.Name)
	}
	return f.conn.Do(link.Delete(r.Name))
}
