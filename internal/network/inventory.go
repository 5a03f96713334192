package network

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// Kinds of resource.
const (
	kindVeth   = "veth"
	kindTap    = "tap"
	kindBridge = "bridge"
	kindRule   = "rule"
	ownerNode  = "node"

	kindTun = "tun" // what the kernel calls a TAP
)

// Resources lists the links and rules of this daemon. A link in use belongs to
// the instance it was given to, one that is ready to the node; what an earlier
// daemon left and no instance has claimed belongs to nobody.
func (f *Fabric) Resources(ctx context.Context) ([]api.Resource, error) {
	links, err := f.conn.List()
	if err != nil {
		return nil, err
	}
	tables, err := nft.Tables(f.config.Table)
	if err != nil {
		return nil, err
	}
	passages, err := f.pass.Chains()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vacate(links)
	owners := map[string]string{}
	var out []api.Resource
	for _, name := range append(tables, passages...) {
		out = append(out, api.Resource{Kind: kindRule, Name: name, Owner: ownerNode})
	}
	for _, m := range f.members {
		for _, p := range m.ports {
			owners[p.link] = m.instance
		}
		for _, b := range m.published {
			out = append(out, api.Resource{Kind: kindRule, Name: ruleName(b.rule), Owner: m.instance})
		}
	}
	for p := range f.left.published {
		out = append(out, api.Resource{Kind: kindRule, Name: ruleName(p)})
	}
	bridges := map[int]bool{}
	for _, l := range links {
		bridges[l.Index] = l.Kind == kindBridge && isBridge(f.config.Prefix, l.Name)
	}
	for _, l := range links {
		if owner, ok := f.funnelOwner(l); ok {
			if !f.limited(owner, l.Name) {
				owner = ""
			}
			out = append(out, api.Resource{Kind: kindFunnel, Name: l.Name, Owner: owner})
		}
		switch {
		case bridges[l.Index]:
			out = append(out, api.Resource{Kind: kindBridge, Name: l.Name, Owner: f.bridgeOwner(l.Name)})
		case l.Kind == kindVeth && bridges[l.Master]:
			out = append(out, api.Resource{Kind: kindVeth, Name: l.Name, Owner: f.ownerOf(l, owners)})
		case l.Kind == kindTun && bridges[l.Master]:
			out = append(out, api.Resource{Kind: kindTap, Name: l.Name, Owner: f.ownerOf(l, owners)})
		}
	}
	return out, nil
}

// bridgeOwner is the node for a bridge of its networks; that of a network which
// was removed while no daemon looked has no owner.
//
// +checklocks:f.mu
func (f *Fabric) bridgeOwner(name string) string {
	for _, s := range f.segments {
		if s.bridge == name {
			return ownerNode
		}
	}
	return ""
}

// +checklocks:f.mu
func (f *Fabric) ownerOf(l link.Link, owners map[string]string) string {
	if o, ok := owners[l.Name]; ok {
		return o
	}
	if l.Alias != "" {
		return l.Alias
	}
	if _, ok := f.left.links[l.Name]; ok {
		return ""
	}
	return ownerNode // ready, or about to be given to an instance
}

func ruleName(p nft.Published) string {
	q := portOf(p)
	return fmt.Sprintf("%s %s to %s", q.Protocol, netip.AddrPortFrom(p.Host, p.HostPort), p.To)
}

// Collect gives back a link, a bridge or a published port that has no owner. Idempotent.
func (f *Fabric) Collect(ctx context.Context, r api.Resource) error {
	switch r.Kind {
	case kindVeth, kindTap, kindBridge, kindFunnel:
		return f.conn.Do(link.Delete(r.Name))
	case kindRule:
		return f.collectRule(r.Name)
	}
	return fmt.Errorf("collect %s %s: not a resource of an instance's network", r.Kind, r.Name)
}

func (f *Fabric) collectRule(name string) error {
	f.mu.Lock()
	var rules []nft.Published
	for p := range f.left.published {
		if ruleName(p) == name {
			rules = append(rules, p)
			delete(f.left.published, p)
		}
	}
	f.mu.Unlock()
	return f.table.Unpublish(rules...)
}
