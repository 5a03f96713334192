package network

import (
	"net/netip"

	"github.com/virga-cloud/virga/internal/linux/nft"
)

// remains is what an earlier daemon left that no instance has claimed yet.
// Published ports go on working until then; what is never claimed is listed
// as stale.
type remains struct {
	published map[nft.Published]struct{}
	links     map[string]struct{} // names of links without a label
}

// remains reads what there is before anything is changed.
func (f *Fabric) remains() (remains, error) {
	r := remains{published: map[nft.Published]struct{}{}, links: map[string]struct{}{}}
	for _, p := range f.table.Published() {
		r.published[p] = struct{}{}
	}
	links, err := f.conn.List()
	if err != nil {
		return r, err
	}
	ours := map[int]bool{}
	for _, l := range links {
		ours[l.Index] = l.Kind == "bridge" && isBridge(f.config.Prefix, l.Name)
	}
	for _, l := range links {
		if l.Kind == "veth" && l.Alias == "" && ours[l.Master] {
			r.links[l.Name] = struct{}{}
		}
	}
	return r, nil
}

// claimPorts takes the published ports that lead to an address out of the
// remains.
func (r remains) claimPorts(to netip.Addr) []nft.Published {
	var out []nft.Published
	for p := range r.published {
		if p.To.Addr() == to {
			out = append(out, p)
			delete(r.published, p)
		}
	}
	return out
}

// claimHostPorts takes the published ports that are about to be published
// anew out of the remains.
func (r remains) claimHostPorts(rules []nft.Published) []nft.Published {
	var out []nft.Published
	for p := range r.published {
		for _, q := range rules {
			if p.Protocol == q.Protocol && p.Host == q.Host && p.HostPort == q.HostPort {
				out = append(out, p)
				delete(r.published, p)
			}
		}
	}
	return out
}
