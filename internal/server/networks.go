package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

func (s *Server) networkRoutes() {
	route(s, http.MethodGet, "/v1/networks", "List networks", s.listNetworks)
	route(s, http.MethodPost, "/v1/networks", "Create a network", s.createNetwork)
	route(s, http.MethodGet, "/v1/networks/{id}", "Inspect a network", s.inspectNetwork)
	route(s, http.MethodDelete, "/v1/networks/{id}", "Remove a network that no instance uses", s.removeNetwork)
	route(s, http.MethodPost, "/v1/networks/{id}/connect", "Attach an instance to a network", s.connectNetwork)
	route(s, http.MethodPost, "/v1/networks/{id}/disconnect", "Detach an instance from a network", s.disconnectNetwork)
	route(s, http.MethodPost, "/v1/networks/prune", "Remove networks that no instance uses", s.pruneNetworks)
}

func (s *Server) listNetworks(_ context.Context, p *InProject) (*body[[]api.Network], error) {
	out := []api.Network{}
	for _, n := range s.Store.Networks.Views() {
		if n.Project == p.Project || n.Name == api.NetworkDefault {
			out = append(out, s.withInstances(n))
		}
	}
	slices.SortFunc(out, func(a, b api.Network) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]api.Network]{out}, nil
}

func (s *Server) inspectNetwork(_ context.Context, t *Target) (*body[api.Network], error) {
	n, err := control.FindNetwork(s.Store, t.Project, t.ID)
	if err != nil {
		return nil, err
	}
	return &body[api.Network]{s.withInstances(n)}, nil
}

func (s *Server) withInstances(n *api.Network) api.Network {
	c := *n
	c.Instances = control.NetworkUsers(s.Store, n)
	return c
}

type createNetwork struct {
	InProject
	Body api.NetworkRequest
}

type createdNetwork struct {
	Status int
	Body   api.Network
}

// createNetwork stores the network and returns when the node has it. One that
// the node cannot have does not stay.
func (s *Server) createNetwork(ctx context.Context, r *createNetwork) (*createdNetwork, error) {
	n, made, err := s.networks.Create(ctx, r.Project, r.Body)
	if err != nil {
		return nil, err
	}
	if !made {
		return &createdNetwork{http.StatusOK, s.withInstances(&n)}, nil
	}
	if err := s.Node.SetNetworks(ctx); err != nil {
		return nil, errors.Join(err, s.Store.Networks.Delete(context.WithoutCancel(ctx), n.ID))
	}
	s.recordNetwork("create", &n, nil)
	return &createdNetwork{http.StatusCreated, n}, nil
}

func (s *Server) removeNetwork(ctx context.Context, t *Target) (*none, error) {
	n, err := control.FindNetwork(s.Store, t.Project, t.ID)
	if err != nil {
		return nil, err
	}
	return &none{}, s.dropNetwork(ctx, n)
}

func (s *Server) dropNetwork(ctx context.Context, n *api.Network) error {
	if err := s.networks.Remove(ctx, n); err != nil {
		return err
	}
	s.recordNetwork("remove", n, nil)
	return s.Node.SetNetworks(ctx)
}

func (s *Server) pruneNetworks(ctx context.Context, r *pruneIn) (*body[api.PruneReport], error) {
	out := &body[api.PruneReport]{Body: api.PruneReport{Removed: []string{}}}
	p := r.request()
	for _, n := range s.Store.Networks.Views() {
		if n.Project != r.Project || n.Name == api.NetworkDefault || !p.Takes(n.Created, n.Labels) || len(control.NetworkUsers(s.Store, n)) > 0 {
			continue
		}
		if err := s.dropNetwork(ctx, n); api.CodeOf(err) == api.CodeConflict {
			continue // a service has its address there
		} else if err != nil {
			return nil, err
		}
		out.Body.Removed = append(out.Body.Removed, n.Name)
	}
	slices.Sort(out.Body.Removed)
	return out, nil
}

func (s *Server) recordNetwork(action string, n *api.Network, attrs map[string]string) {
	s.Events.Append(api.Event{Kind: "network", Action: action, ID: n.ID, Name: n.Name, Project: n.Project, Attrs: attrs})
}
