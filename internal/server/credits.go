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

// withAccount is a copy of an instance with its credits, of one that has any,
// and its cost.
func (s *Server) withAccount(ctx context.Context, in *api.Instance) *api.Instance {
	shown := *in
	spent, perHour := s.Costs.Spent(in.ID)
	shown.Cost = &api.InstanceCost{Currency: s.Admission.Types.Rates().Currency, PerHour: perHour, Spent: spent}
	if in.Type != nil && in.Type.Family == api.FamilyBurst {
		if c, err := s.Node.Credits(ctx, in.ID, ""); err == nil { // not before its first start
			shown.Credits = &c
		}
	}
	return &shown
}
