package metrics

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

type withSpot struct{ fakeSource }

func (withSpot) SpotMarket() api.SpotMarket {
	return api.SpotMarket{Node: "n1", Utilisation: 0.75, Share: 0.33}
}

func (withSpot) Instances() []*api.Instance {
	spot := func(change func(*api.Instance)) *api.Instance {
		in := &api.Instance{Spec: api.InstanceSpec{Spot: &api.Spot{}}, Spot: &api.SpotStatus{}, Desired: api.Desired{State: api.DesiredRunning}}
		in.Status.Phase = api.PhaseRunning
		change(in)
		return in
	}
	notice := func(at int64) func(*api.Instance) {
		return func(in *api.Instance) {
			in.Spot.Notice = &api.SpotNotice{Action: api.InterruptStop, Deadline: time.Unix(at, 0)}
		}
	}
	return []*api.Instance{
		{Desired: api.Desired{State: api.DesiredRunning}, Status: api.InstanceStatus{Phase: api.PhaseRunning}}, // on-demand
		spot(func(*api.Instance) {}),
		spot(func(in *api.Instance) { in.Spot.Rebalance = time.Unix(1, 0) }),
		spot(notice(2000)), spot(notice(1000)),
		spot(func(in *api.Instance) {
			notice(500)(in)
			in.Spot.Notice.Done, in.Desired.State, in.Status.Phase = time.Unix(500, 0), api.DesiredStopped, api.PhaseStopped
		}),
		spot(func(in *api.Instance) { in.Desired.State, in.Status.Phase = api.DesiredStopped, api.PhaseStopped }), // by its user
	}
}

func TestScrapeOfTheMarket(t *testing.T) {
	got := scrape(t, withSpot{})
	for _, want := range []string{
		`virga_spot_price_ratio{node="n1"} 0.33`,
		`virga_spot_utilisation_ratio{node="n1"} 0.75`,
		`virga_spot_instances{node="n1",state="running"} 1`,
		`virga_spot_instances{node="n1",state="rebalance"} 1`,
		`virga_spot_instances{node="n1",state="noticed"} 2`,
		`virga_spot_instances{node="n1",state="interrupted"} 1`,
		`virga_spot_next_deadline_timestamp_seconds{node="n1"} 1000`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
}
