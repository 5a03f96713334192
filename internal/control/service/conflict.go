package service

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
)

// Conflict finds a port of the node that another of the services publishes
// already. Several services may share one port for HTTP when they tell each
// other apart by their routes, and either all or none speak TLS.
func Conflict(s *api.Service, all []*api.Service) error {
	for i, p := range s.Spec.Ports {
		if p.Publish == 0 {
			continue
		}
		for _, o := range all {
			if o.ID == s.ID {
				continue
			}
			for _, q := range o.Spec.Ports {
				if q.Publish == p.Publish && clash(s, p, o, q) {
					return api.Errorf(api.CodeConflict, "port %d of the node is published by service %s", p.Publish, o.Name).
						InField(fmt.Sprintf("spec.ports[%d].publish", i)).
						WithHint("publish another port, or tell the two apart by host or path (--host, --path)")
				}
			}
		}
	}
	return nil
}

func clash(s *api.Service, p api.ServicePort, o *api.Service, q api.ServicePort) bool {
	if (p.Protocol == api.ProtocolUDP) != (q.Protocol == api.ProtocolUDP) {
		return false
	}
	if !p.HTTP() || p.Protocol != q.Protocol {
		return true
	}
	type place struct{ host, path string }
	taken := map[place]bool{}
	for _, r := range Routes(&o.Spec) {
		taken[place{r.Host, r.Path}] = true
	}
	for _, r := range Routes(&s.Spec) {
		if taken[place{r.Host, r.Path}] {
			return true
		}
	}
	return false
}

// Routes are those of a service, with one for the rest when all the given ones
// lead to other services.
func Routes(s *api.ServiceSpec) []api.ServiceRoute {
	for _, r := range s.Routes {
		if r.Service == "" {
			return s.Routes
		}
	}
	if len(s.Routes) > 0 && onlyElsewhere(s) && len(s.Selector.Labels) == 0 && s.Selector.Group == "" {
		return s.Routes
	}
	return append(append([]api.ServiceRoute(nil), s.Routes...), api.ServiceRoute{})
}
