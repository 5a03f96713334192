package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) capacityRoutes() {
	route(s, http.MethodGet, "/v1/capacity", "What each node has, has given out and has left",
		func(ctx context.Context, _ *none) (*body[[]api.NodeCapacity], error) {
			c, err := s.Capacity(ctx)
			return &body[[]api.NodeCapacity]{[]api.NodeCapacity{c}}, err
		})
}

// Capacity is the node's arithmetic at this moment.
func (s *Server) Capacity(ctx context.Context) (api.NodeCapacity, error) {
	n, err := s.Node.Info(ctx)
	if err != nil {
		return api.NodeCapacity{}, err
	}
	return s.Admission.Capacity(n.Capacity.Used), nil
}
