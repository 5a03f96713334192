package network

import (
	"cmp"

	"github.com/virga-cloud/virga/api"
)

// member is an instance that is attached.
type member struct {
	instance, name, project string
	group                   string
	labels                  map[string]string
	ids                     uint32
	rate                    api.NetworkRate
	kind                    Kind
	hostname                string
	search                  []string // domains instead of the project's
	ports                   []port
	published               []*reservation
	on                      string // the instance whose network namespace it is in, "" for one of its own
}

func newMember(r Request) *member {
	return &member{instance: r.Instance, name: r.Name, project: r.Project, group: r.Group, labels: r.Labels, rate: r.Rate,
		kind: r.Kind, hostname: cmp.Or(r.Hostname, r.Name), search: r.DNSSearch}
}

func (f *Fabric) remember(r Request, p *place, published []*reservation) *member {
	m := newMember(r)
	m.ids, m.ports, m.published = p.ids, p.ports, published
	if r.Share != nil && r.Share.Net {
		m.on = r.Share.Of.Instance
	}
	f.mu.Lock()
	f.members[r.Instance] = m
	f.mu.Unlock()
	f.dns.Put(host(r, p.ports))
	f.judged(m)
	return m
}
