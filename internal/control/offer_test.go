package control

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// A spot instance that gets another size costs at once what that costs, takes
// only room that is there, and keeps within what its user pays.
func TestSpotResize(t *testing.T) {
	a := admission(t, machine(4, 8*gib, 1))
	a.Prices = &Prices{Store: a.Store, Node: a.Node}
	create := func(what string, change func(*api.Spot)) *api.Instance {
		t.Helper()
		c := ask(t, what)
		c.Spec.Spot = &api.Spot{}
		change(c.Spec.Spot)
		in, err := a.Create(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	resize := func(in *api.Instance, to string) (api.Instance, error) {
		return a.Apply(t.Context(), in.ID, a.Resize(api.ResizeRequest{Type: to}))
	}
	in := create("shared.micro", func(*api.Spot) {})
	before, share := in.Spot.Price, in.Spot.Share
	now, err := resize(in, "shared.small")
	if err != nil {
		t.Fatal(err)
	}
	if want := a.Types.OnDemand(&now) * share; now.Spot.Price != want || now.Spot.Price <= before || now.Spot.Share != share {
		t.Errorf("%+v costs %+v after %v, want %v", now.TypeName(), now.Spot, before, want)
	}
	if _, err := resize(in, "shared.xlarge"); api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("more than there is: %v", err)
	}

	// On-demand work that fits when it leaves does not make it grow.
	most := a.Types.OnDemand(&now) * share * 1.01
	poor := create("shared.small", func(s *api.Spot) { s.MaxPrice = most })
	_, err = resize(poor, "shared.medium")
	if e, ok := err.(*api.Error); !ok || e.Code != api.CodeInsufficientCapacity || e.Field != "spec.spot.maxPrice" || e.Hint == "" {
		t.Errorf("beyond the most to pay: %v", err)
	}
	cold := create("shared.small", func(s *api.Spot) { s.Interruption = api.InterruptHibernate })
	if _, err := resize(cold, "dedicated.small"); err == nil || !strings.Contains(err.Error(), "cannot hibernate") {
		t.Errorf("hibernation of dedicated cores: %v", err)
	}

	// What is about to leave was counted on.
	if _, err := a.Store.Instances.Update(t.Context(), in.ID, func(i *api.Instance) error {
		i.Spot.Notice = &api.SpotNotice{Action: api.InterruptTerminate, Deadline: time.Now().Add(time.Minute)}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, err = resize(in, "shared.micro")
	if e, ok := err.(*api.Error); !ok || e.Code != api.CodeConflict || e.Hint == "" {
		t.Errorf("with a notice: %v", err)
	}
	_, err = a.Apply(t.Context(), in.ID, a.Update(api.UpdateRequest{Resources: &api.Resources{PidsLimit: 50}}))
	if api.CodeOf(err) != api.CodeConflict {
		t.Errorf("limits, with a notice: %v", err)
	}
}
