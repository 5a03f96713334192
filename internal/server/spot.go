package server

import (
	"context"
	"net/http"
	"time"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) spotRoutes() {
	route(s, http.MethodGet, "/v1/spot", "What spare capacity costs", s.spotMarket)
	route(s, http.MethodGet, "/v1/spot/history", "What spare capacity has cost, at most 90 days back", s.spotHistory)
}

func (s *Server) spotMarket(context.Context, *none) (*body[api.SpotMarket], error) {
	return &body[api.SpotMarket]{s.Admission.SpotMarket()}, nil
}

type spotHistory struct {
	Since string `query:"since" doc:"A time, or a duration before now; default 24h"`
}

func (s *Server) spotHistory(_ context.Context, r *spotHistory) (*body[[]api.SpotPoint], error) {
	since := time.Now().Add(-24 * time.Hour)
	if r.Since != "" {
		d, err := time.ParseDuration(r.Since)
		since = time.Now().Add(-d)
		if err != nil {
			if since, err = time.Parse(time.RFC3339, r.Since); err != nil {
				return nil, api.Invalid("since", "since %q is neither a time nor a duration", r.Since).
					WithHint("write 2026-01-02T15:04:05Z, or 10m for ten minutes ago")
			}
		}
	}
	return &body[[]api.SpotPoint]{s.Admission.Prices.History(since)}, nil
}
