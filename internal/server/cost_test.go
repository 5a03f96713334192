package server

import (
	"io"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

func TestCostCalls(t *testing.T) {
	w := newWorld(t, nil)
	ctx, c := t.Context(), w.client
	r, err := c.Cost(ctx, api.CostQuery{})
	must(t, err)
	if d := r.To.Sub(r.From); d != defaultCostPeriod || time.Since(r.To) > time.Minute || r.By != "project" || r.Lines[0].Key != "" {
		t.Errorf("without a period: %+v", r)
	}
	c.Project = "shop"
	to := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	r, err = c.Cost(ctx, api.CostQuery{From: to.AddDate(0, 0, -1), To: to, By: "label:team"})
	must(t, err)
	if !r.To.Equal(to) || r.By != "label:team" || r.Lines[0].Key != "shop" {
		t.Errorf("a day of a project: %+v", r)
	}
	if _, err := c.Cost(ctx, api.CostQuery{From: to, To: to}); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("an empty period: %v", err)
	}
	if _, err := c.ExportCost(ctx, api.CostQuery{}, "xml"); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("an unknown format: %v", err)
	}
	e, err := c.ExportCost(ctx, api.CostQuery{}, "csv")
	must(t, err)
	defer e.Close()
	if b, err := io.ReadAll(e); string(b) != "start,end\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
