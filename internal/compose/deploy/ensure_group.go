package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

const labelHash = compose.LabelHash

// ensureGroup makes a service of several instances what the plan says, and the
// service in front of it. A template that differs is rolled out; Up does not
// wait for the end of that unless it is asked to.
func (b *bringUp) ensureGroup(ctx context.Context) (replaced bool, err error) {
	r := b.w.Group
	if err := b.removeOthers(ctx, "", r.Name); err != nil {
		return false, err
	}
	g := b.now.group(r.Name)
	switch {
	case g == nil:
		request := *r
		if b.options.NoStart {
			request.Spec.Desired, request.Spec.Min = 0, 0
		}
		if _, err = b.Client.CreateGroup(ctx, request); err != nil {
			return false, err
		}
		b.Progress.Say("group", r.Name, fmt.Sprintf("created with %d instances", request.Spec.Desired))
		if !b.options.NoStart && request.Spec.Desired > 0 {
			err = b.begun(ctx, r.Name)
		}
	case b.differs(g.Spec.Labels[labelHash], currentImage(g)):
		_, err = b.Client.UpdateGroup(ctx, g.ID, api.GroupUpdate{
			Template: &r.Spec.Template, Labels: r.Spec.Labels, Update: &r.Spec.Update, Purchase: purchase(r.Spec),
		})
		if err == nil {
			b.Progress.Say("group", r.Name, "rolls to the new configuration")
			replaced = true
			err = b.scale(ctx, g)
		}
	default:
		if err = b.scale(ctx, g); err == nil {
			b.Progress.Say("group", r.Name, "is up to date")
		}
	}
	if err != nil {
		return replaced, err
	}
	return replaced, b.ensureBalancer(ctx)
}

// purchase is the mix of a group's purchase options as an update says it: one
// that has none says so, since nothing would leave it as it was.
func purchase(s api.GroupSpec) *api.Purchase {
	if s.Purchase == nil {
		return &api.Purchase{}
	}
	return s.Purchase
}

func currentImage(g *api.Group) string {
	if n := len(g.Revisions); n > 0 {
		return g.Revisions[n-1].Image
	}
	return ""
}

// scale gives the group its numbers again. The number of one that follows its
// load is left alone within the bounds.
func (b *bringUp) scale(ctx context.Context, g *api.Group) error {
	want, have := b.w.Group.Spec, g.Spec
	if b.options.NoStart {
		return nil
	}
	desired := want.Desired
	if want.Scaling != nil {
		desired = min(max(have.Desired, want.Min, 1), want.Max)
	}
	if desired == have.Desired && want.Min == have.Min && want.Max == have.Max && same(want.Scaling, have.Scaling) {
		return nil
	}
	b.Progress.Say("group", g.Name, fmt.Sprintf("scales from %d to %d", have.Desired, desired))
	_, err := b.Client.ScaleGroup(ctx, g.ID, api.ScaleRequest{
		Desired: &desired, Min: &want.Min, Max: &want.Max, Scaling: want.Scaling, Manual: want.Scaling == nil,
	})
	return err
}

// ensureBalancer makes the service in front of the group what the plan says.
func (b *bringUp) ensureBalancer(ctx context.Context) error {
	r := b.w.Balancer
	if r == nil {
		return b.removeBalancers(ctx, b.now, b.w.Service)
	}
	have := b.now.service(r.Name)
	if have == nil {
		_, err := b.Client.CreateService(ctx, *r)
		if err == nil {
			b.Progress.Say("service", r.Name, "created")
		}
		return err
	}
	if covers(have.Spec, r.Spec) {
		return nil
	}
	_, err := b.Client.UpdateService(ctx, have.ID, r.Spec)
	if err == nil {
		b.Progress.Say("service", r.Name, "updated")
	}
	return err
}

// covers reports whether a service is as wanted; the server fills in what was
// left open.
func covers(have, want api.ServiceSpec) bool {
	if have.Selector.Group != want.Selector.Group || len(have.Ports) != len(want.Ports) ||
		want.Network != "" && have.Network != want.Network {
		return false
	}
	for i, p := range want.Ports {
		h := have.Ports[i]
		if h.Port != p.Port || h.Publish != p.Publish || p.Protocol != "" && h.Protocol != p.Protocol {
			return false
		}
	}
	return true
}

// same compares as JSON, in which nothing and empty are equal.
func same(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && reflect.DeepEqual(x, y)
}
