package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) networkRoutes() {
	route(s, http.MethodGet, "/v1/networks", "List networks", s.listNetworks)
	route(s, http.MethodGet, "/v1/networks/{id}", "Inspect a network", s.inspectNetwork)
}

func (s *Server) listNetworks(_ context.Context, p *InProject) (*body[[]api.Network], error) {
	out := []api.Network{}
	for _, n := range s.Store.Networks.Views() {
		if n.Project == p.Project {
			out = append(out, s.withInstances(n))
		}
	}
	slices.SortFunc(out, func(a, b api.Network) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]api.Network]{out}, nil
}

func (s *Server) inspectNetwork(_ context.Context, t *Target) (*body[api.Network], error) {
	n, err := s.Store.Networks.Find(t.Project, t.ID)
	if err != nil {
		return nil, err
	}
	return &body[api.Network]{s.withInstances(n)}, nil
}

func (s *Server) withInstances(n *api.Network) api.Network {
	c := *n
	c.Instances = nil
	for _, in := range s.Store.Instances.Views() {
		if in.Project == n.Project && attached(in, n.Name) {
			c.Instances = append(c.Instances, in.Name)
		}
	}
	slices.Sort(c.Instances)
	return c
}

func attached(in *api.Instance, network string) bool {
	if len(in.Spec.Networks) == 0 {
		return network == api.NetworkDefault
	}
	return slices.ContainsFunc(in.Spec.Networks, func(a api.Attachment) bool { return a.Network == network })
}
