package deploy

import (
	"context"
	"io"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// Deployment acts on one project.
type Deployment struct {
	Client  *api.Client
	Project string
	// FilesDir is where the contents of configs and secrets are kept.
	FilesDir string
	Out      io.Writer // of logs
	Progress *Progress
	Colour   bool // Out is a terminal that shows colours
}

// state is what there is of a project.
type state struct {
	instances []api.Instance // also those of groups
	groups    []api.Group
	services  []api.Service
	networks  []api.Network
	volumes   []api.Volume
}

// observe lists what belongs to the project.
func (d *Deployment) observe(ctx context.Context) (s state, err error) {
	if s.instances, err = d.instances(ctx); err != nil {
		return s, err
	}
	groups, err := d.Client.Groups(ctx)
	if err != nil {
		return s, err
	}
	s.groups = owned(groups, d.Project, func(g api.Group) map[string]string { return g.Labels })
	services, err := d.Client.Services(ctx)
	if err != nil {
		return s, err
	}
	s.services = owned(services, d.Project, func(v api.Service) map[string]string { return v.Labels })
	networks, err := d.Client.Networks(ctx)
	if err != nil {
		return s, err
	}
	s.networks = owned(networks, d.Project, func(n api.Network) map[string]string { return n.Labels })
	volumes, err := d.Client.Volumes(ctx)
	s.volumes = owned(volumes, d.Project, func(v api.Volume) map[string]string { return v.Labels })
	return s, err
}

// instances are the project's.
func (d *Deployment) instances(ctx context.Context) ([]api.Instance, error) {
	return d.Client.Instances(ctx, api.InstanceFilter{Labels: []string{compose.LabelProject + "=" + d.Project}})
}

// owned are the objects that have the project's label.
func owned[T any](all []T, project string, labels func(T) map[string]string) (list []T) {
	for _, v := range all {
		if labels(v)[compose.LabelProject] == project {
			list = append(list, v)
		}
	}
	return list
}

// find returns the first that fits, or nil.
func find[T any](list []T, fits func(*T) bool) *T {
	for i := range list {
		if fits(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

// single finds an instance that no group made.
func (s *state) single(name string) *api.Instance {
	return find(s.instances, func(i *api.Instance) bool { return i.Name == name && i.Group == "" })
}

func (s *state) group(name string) *api.Group {
	return find(s.groups, func(g *api.Group) bool { return g.Name == name })
}

func (s *state) service(name string) *api.Service {
	return find(s.services, func(v *api.Service) bool { return v.Name == name })
}

func serviceOf(labels map[string]string) string { return labels[compose.LabelService] }

// gone takes "not found" for done.
func gone(err error) error {
	if api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	return err
}
