package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) creditRoutes() {
	route(s, http.MethodGet, "/v1/instances/{id}/credits", "Read the CPU credits of a burst instance", s.credits)
}

type creditsRequest struct {
	Target
	Series string `query:"series" enum:"1s,5m" doc:"Past values too: each second of the last ten minutes, or each five minutes of the last two weeks"`
}

func (s *Server) credits(ctx context.Context, r *creditsRequest) (*body[api.CPUCredits], error) {
	in, err := s.instance(r.Target)
	if err != nil {
		return nil, err
	}
	c, err := s.Node.Credits(ctx, in.ID, r.Series)
	return &body[api.CPUCredits]{c}, err
}

// withCredits is a copy of an instance with its account, of one that has one.
func (s *Server) withCredits(ctx context.Context, in *api.Instance) *api.Instance {
	if in.Type == nil || in.Type.Family != api.FamilyBurst {
		return in
	}
	c, err := s.Node.Credits(ctx, in.ID, "")
	if err != nil {
		return in // not before its first start
	}
	shown := *in
	shown.Credits = &c
	return &shown
}
