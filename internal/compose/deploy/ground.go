package deploy

import (
	"context"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// networks makes what is missing. A network that is to be another one is made
// anew, for which the project's instances on it have to go first.
func (d *Deployment) networks(ctx context.Context, p *compose.Plan, now *state) error {
	for _, name := range p.ExternalNetworks {
		if _, err := d.Client.Network(ctx, name); err != nil {
			return err
		}
	}
	for _, r := range p.Rules {
		if _, err := d.Client.CreateRule(ctx, r); err != nil { // one that is there is no error
			return err
		}
	}
	for _, r := range p.Networks {
		have := find(now.networks, func(n *api.Network) bool { return n.Name == r.Name })
		if have != nil && have.Labels[labelHash] == r.Labels[labelHash] {
			continue
		}
		if have != nil {
			d.Progress.Say("network", r.Name, "is made anew")
			if err := d.clear(ctx, now, r.Name); err != nil {
				return err
			}
			if err := gone(d.Client.RemoveNetwork(ctx, r.Name)); err != nil {
				return err
			}
		}
		if _, err := d.Client.CreateNetwork(ctx, r); err != nil {
			return err
		}
		d.Progress.Say("network", r.Name, "created")
	}
	return nil
}

// clear removes the project's workloads that are on a network.
func (d *Deployment) clear(ctx context.Context, now *state, network string) error {
	on := func(s api.InstanceSpec) bool {
		return find(s.Networks, func(a *api.Attachment) bool { return a.Network == network }) != nil
	}
	for _, v := range now.services {
		if v.Spec.Network == network {
			if err := gone(d.Client.RemoveService(ctx, v.ID)); err != nil {
				return err
			}
		}
	}
	for _, g := range now.groups {
		if on(g.Spec.Template) {
			if err := d.removeGroup(ctx, g); err != nil {
				return err
			}
		}
	}
	for _, in := range now.instances {
		if in.Group == "" && on(in.Spec) {
			if err := d.removeInstance(ctx, in); err != nil {
				return err
			}
		}
	}
	seen, err := d.observe(ctx)
	*now = seen
	return err
}

// volumes makes what is missing.
func (d *Deployment) volumes(ctx context.Context, p *compose.Plan, now *state) error {
	for _, name := range p.ExternalVolumes {
		if _, err := d.Client.Volume(ctx, name); err != nil {
			return err
		}
	}
	for _, r := range p.Volumes {
		if find(now.volumes, func(v *api.Volume) bool { return v.Name == r.Name }) != nil {
			continue
		}
		if _, err := d.Client.CreateVolume(ctx, r); err != nil {
			return err
		}
		d.Progress.Say("volume", r.Name, "created")
	}
	return nil
}

// writeFiles writes the contents of configs and secrets. Their directory is
// closed to others; the node mounts each file by itself, so that inside an
// instance only the file's own mode counts.
func writeFiles(files []compose.File) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
			return err
		}
		if _, err := os.Stat(f.Path); err == nil {
			continue // its name is made of its content
		}
		part, err := os.CreateTemp(filepath.Dir(f.Path), ".part-*")
		if err != nil {
			return err
		}
		_, err = part.WriteString(f.Content)
		for _, step := range []func() error{
			func() error { return part.Chmod(os.FileMode(f.Mode)) },
			part.Close,
			func() error { return os.Rename(part.Name(), f.Path) },
		} {
			if err == nil {
				err = step()
			}
		}
		if err != nil {
			_ = part.Close()
			_ = os.Remove(part.Name())
			return err
		}
	}
	return nil
}
