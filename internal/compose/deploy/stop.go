package deploy

import (
	"context"

	"github.com/virga-cloud/virga/api"
)

// Stop ends all instances of the project and keeps them, dependents first.
// Groups are scaled to nothing; the next Up gives them their numbers again.
func (d *Deployment) Stop(ctx context.Context) error {
	now, err := d.observe(ctx)
	if err != nil {
		return err
	}
	return now.reverse(func(service string) error {
		for _, g := range now.groups {
			if serviceOf(g.Labels) != service {
				continue
			}
			none := 0
			if _, err := d.Client.ScaleGroup(ctx, g.ID, api.ScaleRequest{Desired: &none, Min: &none, Manual: true}); gone(err) != nil {
				return err
			}
			if err := gone(d.steady(ctx, g.ID)); err != nil {
				return err
			}
			d.Progress.Say("group", g.Name, "stopped")
		}
		for _, in := range now.instances {
			if serviceOf(in.Labels) != service || in.Group != "" || in.Status.Phase.Ended() {
				continue
			}
			if err := gone(d.Client.Stop(ctx, in.ID, api.StopRequest{})); err != nil {
				return err
			}
			d.Progress.Say("instance", in.Name, "stopped")
		}
		return nil
	})
}
