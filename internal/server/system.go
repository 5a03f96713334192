package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

// apiVersion is the version of the HTTP API, the first part of every path.
const apiVersion = "v1"

func (s *Server) systemRoutes() {
	route(s, http.MethodGet, "/v1/version", "Version of the daemon and of the API",
		func(context.Context, *none) (*body[api.VersionInfo], error) {
			return &body[api.VersionInfo]{api.VersionInfo{Version: s.Version, API: apiVersion}}, nil
		})
	route(s, http.MethodGet, "/v1/node", "Describe the node",
		func(ctx context.Context, _ *none) (*body[api.Node], error) {
			n, err := s.Node.Info(ctx)
			n.Features = notNil(n.Features)
			n.Capacity.Allocated = s.Admission.Capacity(n.Capacity.Used).Allocated
			return &body[api.Node]{n}, err
		})
	route(s, http.MethodGet, "/v1/system/check", "List what virga made on the node, and its owners", s.check(false))
	route(s, http.MethodPost, "/v1/system/repair", "Give back what no owner holds any more", s.check(true))
}

func (s *Server) check(repair bool) func(context.Context, *none) (*body[api.CheckReport], error) {
	return func(ctx context.Context, _ *none) (*body[api.CheckReport], error) {
		r, err := s.Node.Check(ctx, repair)
		r.Resources = notNil(r.Resources)
		return &body[api.CheckReport]{r}, err
	}
}
