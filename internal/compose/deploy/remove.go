package deploy

import (
	"context"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

func (d *Deployment) removeInstance(ctx context.Context, in api.Instance) error {
	// A stop first, so that its own signal and time are kept to.
	if !in.Status.Phase.Ended() {
		if err := gone(d.Client.Stop(ctx, in.ID, api.StopRequest{})); err != nil {
			return err
		}
	}
	err := gone(d.Client.Remove(ctx, in.ID, true, true))
	if err == nil {
		d.Progress.Say("instance", in.Name, "removed")
	}
	return err
}

func (d *Deployment) removeGroup(ctx context.Context, g api.Group) error {
	err := gone(d.Client.RemoveGroup(ctx, g.ID, false))
	if err == nil {
		d.Progress.Say("group", g.Name, "removed")
	}
	return err
}

// removeBalancers removes what stands in front of a service of the file.
func (d *Deployment) removeBalancers(ctx context.Context, now *state, service string) error {
	for _, v := range now.services {
		if serviceOf(v.Labels) == service {
			if err := gone(d.Client.RemoveService(ctx, v.ID)); err != nil {
				return err
			}
			d.Progress.Say("service", v.Name, "removed")
		}
	}
	return nil
}

// removeService removes all there is of one service of the file.
func (d *Deployment) removeService(ctx context.Context, now *state, service string) error {
	if err := d.removeBalancers(ctx, now, service); err != nil {
		return err
	}
	for _, g := range now.groups {
		if serviceOf(g.Labels) == service {
			if err := d.removeGroup(ctx, g); err != nil {
				return err
			}
		}
	}
	for _, in := range now.instances {
		if serviceOf(in.Labels) == service && in.Group == "" {
			if err := d.removeInstance(ctx, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// services are the names of the services there is something of.
func (s *state) names() (list []string) {
	for _, in := range s.instances {
		list = append(list, serviceOf(in.Labels))
	}
	for _, g := range s.groups {
		list = append(list, serviceOf(g.Labels))
	}
	for _, v := range s.services {
		list = append(list, serviceOf(v.Labels))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// orphans removes, or tells of, what belongs to no service of the file.
func (d *Deployment) orphans(ctx context.Context, p *compose.Plan, now *state, remove bool) error {
	var left []string
	for _, s := range now.names() {
		if slices.Contains(p.Known, s) {
			continue
		}
		if !remove {
			left = append(left, s)
			continue
		}
		if err := d.removeService(ctx, now, s); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		d.Progress.Say("warning", strings.Join(left, ", "), "is of this project but not in the file: --remove-orphans removes it")
	}
	return nil
}
