package network

import (
	"cmp"
	"net/netip"
	"os"
	"strconv"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/dns"
)

// host is what the name server is to know of an instance.
func host(r Request, ports []port) dns.Host {
	h := dns.Host{ID: r.Instance, Name: r.Name, Project: project(r.Project)}
	for _, p := range r.Ports {
		h.Ports = append(h.Ports, dns.Port{Name: strconv.Itoa(int(p.Port)), Protocol: cmp.Or(p.Protocol, "tcp"), Number: p.Port})
	}
	for _, p := range ports {
		on := dns.Interface{Network: p.segment.key, Addrs: p.addrs(), Names: []string{r.Name}}
		for _, a := range r.Networks {
			if a.Network == p.segment.name {
				on.Names = append(on.Names, a.Aliases...)
			}
		}
		h.On = append(h.On, on)
	}
	for _, s := range r.DNS {
		if a, err := netip.ParseAddr(s); err == nil {
			h.Upstreams = append(h.Upstreams, netip.AddrPortFrom(a, 53))
		}
	}
	return h
}

// checkNames refuses what no name server could be asked.
func checkNames(r Request) error {
	for _, s := range r.DNS {
		if _, err := netip.ParseAddr(s); err != nil {
			return api.Invalid("spec.dns", "name server %q is not an address", s)
		}
	}
	return nil
}

func project(name string) string {
	if name == "" {
		return api.DefaultProject
	}
	return name
}

// nodeResolv is the node's own resolv.conf, for instances on its network and
// where virga cannot listen for queries.
func (f *Fabric) nodeResolv() []byte {
	b, err := os.ReadFile(f.config.ResolvConf)
	if err != nil {
		f.config.Log.Warn("node has no name servers", "err", err)
		return nil
	}
	return b
}
