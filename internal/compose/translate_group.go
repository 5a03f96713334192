package compose

import (
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// grouped reports whether a service becomes a group: when there may be another
// number of instances than one, or when it says how it is updated.
func grouped(s *types.ServiceConfig, v virga) bool {
	return s.GetScale() != 1 || v.Autoscale != nil || v.Spot != nil && v.Spot.Purchase != (api.Purchase{}) ||
		s.Deploy != nil && (s.Deploy.UpdateConfig != nil || s.Deploy.RollbackConfig != nil)
}

func (t *translation) group(w *Workload, s *types.ServiceConfig, v virga, spec *api.InstanceSpec, labels map[string]string) error {
	field := "services." + s.Name
	n := s.GetScale()
	r := &api.GroupRequest{Name: name(t.p.Name, s.Name), Labels: map[string]string{LabelProject: t.p.Name, LabelService: s.Name}}
	if d := labels[LabelDependsOn]; d != "" {
		r.Labels[LabelDependsOn] = d
	}
	if s.Deploy != nil {
		for k, v := range s.Deploy.Labels {
			if _, own := r.Labels[k]; !own {
				r.Labels[k] = v
			}
		}
		if m := s.Deploy.Mode; m != "" && m != "replicated" {
			t.warn(field+".deploy.mode", "%q is not honoured: the service is replicated", m)
		}
	}
	if s.ContainerName != "" {
		t.warn(field+".container_name", "is not honoured: there may be several instances")
	}
	spec.Restart = api.RestartPolicy{} // the group replaces what ends
	r.Spec = api.GroupSpec{Template: *spec, Desired: n, Update: t.updatePolicy(s, n)}
	if v.Spot != nil && v.Spot.Purchase != (api.Purchase{}) {
		r.Spec.Purchase = &v.Spot.Purchase
	}
	if v.Autoscale != nil {
		if err := v.Autoscale.apply(field, &r.Spec); err != nil {
			return err
		}
	}
	t.balance(w, s, r)
	var err error
	if r.Spec.Labels, err = withHash(maps.Clone(labels), r.Spec.Template, r.Spec.Update, r.Spec.Purchase); err != nil {
		return err
	}
	w.Group = r
	return nil
}

// balance moves fixed published ports from the instances, of which only one
// could have them, to a service in front.
func (t *translation) balance(w *Workload, s *types.ServiceConfig, r *api.GroupRequest) {
	spec := &r.Spec.Template
	var own []api.Port
	var ports []api.ServicePort
	for _, p := range spec.Ports {
		if p.HostPort == 0 {
			own = append(own, p)
			continue
		}
		if p.HostIP != "" {
			t.warn("services."+s.Name+".ports", "of several instances are published on every address, not on %s alone", p.HostIP)
		}
		protocol := p.Protocol
		if speaksHTTP(s, p.Port) {
			protocol = api.ProtocolHTTP
		}
		ports = append(ports, api.ServicePort{Port: p.Port, Protocol: protocol, Publish: p.HostPort})
	}
	spec.Ports = own
	if len(ports) == 0 {
		return
	}
	network := ""
	if len(spec.Networks) > 0 {
		network = spec.Networks[0].Network
	}
	w.Balancer = &api.ServiceRequest{
		Name:   name(t.p.Name, s.Name),
		Labels: map[string]string{LabelProject: t.p.Name, LabelService: s.Name},
		Spec: api.ServiceSpec{
			Selector: api.ServiceSelector{Group: r.Name}, Network: network, Ports: ports,
		},
	}
}

// speaksHTTP reports whether the file says so of a port: requests to it can be
// balanced one by one, and held while there is no instance.
func speaksHTTP(s *types.ServiceConfig, port uint16) bool {
	return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool {
		switch p.AppProtocol {
		case "http", "http2", "h2c", "grpc", "ws":
			return p.Target == uint32(port) && p.Protocol != api.ProtocolUDP
		}
		return false
	})
}
