package network

import (
	"net/netip"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// remains is what an earlier daemon left that no instance has claimed yet.
// Published ports go on working until then; what is never claimed is listed
// as stale.
type remains struct {
	published map[nft.Published]struct{}
	links     map[string]struct{} // names of links without a label
	places    map[leftAt]string   // addresses in use, with the link that has them
}

type leftAt struct {
	segment *segment
	addr    netip.Addr
}

// remains reads what there is before anything is changed.
func (f *Fabric) remains() (remains, error) {
	r := remains{published: map[nft.Published]struct{}{}, links: map[string]struct{}{}, places: map[leftAt]string{}}
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
		if (l.Kind == kindVeth || l.Kind == kindTun) && l.Alias == "" && ours[l.Master] {
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

// occupy takes the addresses of the links that are on a network when it comes
// up out of circulation, so that none is given twice before its instance is
// adopted. The node's end of a link tells the address by its own.
func (f *Fabric) occupy(s *segment) error {
	links, err := f.conn.List()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range links {
		if addr, ok := addressOf(l.MAC); ok && l.Master == s.index && s.free.claim(addr) {
			f.left.places[leftAt{s, addr}] = l.Name
		}
	}
	return nil
}

// vacate gives back the addresses of remains whose links are gone.
//
// +checklocks:f.mu
func (f *Fabric) vacate(links []link.Link) {
	there := map[string]bool{}
	for _, l := range links {
		there[l.Name] = true
	}
	for at, name := range f.left.places {
		if !there[name] {
			delete(f.left.places, at)
			at.segment.free.free(at.addr)
		}
	}
}
