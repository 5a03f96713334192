package server

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Costs knows what things cost.
type Costs interface {
	// Cost sums [from, to) up: of a project, or of all. The machine's own price
	// is always that of all.
	Cost(ctx context.Context, by, project string, from, to time.Time) (api.CostReport, error)
	// Export writes the charges of [from, to). An unknown format is Invalid,
	// before anything is written.
	Export(ctx context.Context, w io.Writer, format, project string, from, to time.Time) error
	// Spent is what an instance has cost so far, and costs for an hour while it
	// runs.
	Spent(instance string) (spent, perHour float64)
}

func (s *Server) costRoutes() {
	route(s, http.MethodGet, "/v1/cost", "What instances cost, and where the machine's price went", s.cost)
	raw(s, http.MethodGet, "/v1/cost/export", "The charges of a period, as FOCUS, CSV or JSON", "text/csv", s.exportCost)
}

// CostPeriod is what a report is about.
type CostPeriod struct {
	Project string    `query:"project" doc:"Project; default all of them"`
	From    time.Time `query:"from" doc:"Default a day before to"`
	To      time.Time `query:"to" doc:"Default now"`
}

const defaultCostPeriod = 24 * time.Hour

func (p CostPeriod) span() (from, to time.Time, err error) {
	from, to = p.From, p.To
	if to.IsZero() {
		to = time.Now().Add(time.Second)
	}
	if from.IsZero() {
		from = to.Add(-defaultCostPeriod)
	}
	if !from.Before(to) {
		return from, to, api.Invalid("from", "%s is not before %s", from.Format(time.RFC3339), to.Format(time.RFC3339)).
			WithHint("name an earlier beginning, or a later end")
	}
	return from, to, nil
}

type costRequest struct {
	CostPeriod
	By string `query:"by" default:"project" doc:"project, instance, group, type or label:KEY"`
}

func (s *Server) cost(ctx context.Context, r *costRequest) (*body[api.CostReport], error) {
	from, to, err := r.span()
	if err != nil {
		return nil, err
	}
	c, err := s.Costs.Cost(ctx, r.By, r.Project, from, to)
	return &body[api.CostReport]{c}, err
}

type exportCost struct {
	CostPeriod
	Format string `query:"format" default:"focus" doc:"focus: CSV in the columns of FOCUS 1.2; csv; json"`
}

func (s *Server) exportCost(r *http.Request, w http.ResponseWriter, q *exportCost) error {
	from, to, err := q.span()
	if err != nil {
		return err
	}
	kind := "text/csv"
	if q.Format == "json" {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	return s.Costs.Export(r.Context(), w, q.Format, q.Project, from, to)
}
