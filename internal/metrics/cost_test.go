package metrics

import (
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

type withCosts struct{ fakeSource }

func (withCosts) Spent(string) (float64, float64) { return 1.5, .25 }

func (withCosts) MachineCost() MachineCost {
	return MachineCost{Node: "n1", Currency: "EUR", PerHour: 2, Parts: map[string]float64{"workload": 1, "idle": 3, "overhead": .5}}
}

func TestScrapeOfCosts(t *testing.T) {
	got := scrape(t, withCosts{fakeSource{[]*api.Instance{instance("web", api.PhaseRunning)}}})
	for _, want := range []string{
		`virga_instance_cost_total{currency="EUR",id="web",name="web",project="default"} 1.5`,
		`virga_instance_price_per_hour{currency="EUR",id="web",name="web",project="default"} 0.25`,
		`virga_node_price_per_hour{currency="EUR",node="n1"} 2`,
		`virga_node_cost_total{currency="EUR",node="n1",part="idle"} 3`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
}
