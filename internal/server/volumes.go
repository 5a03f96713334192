package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

func (s *Server) volumeRoutes() {
	route(s, http.MethodGet, "/v1/volumes", "List volumes", s.listVolumes)
	route(s, http.MethodPost, "/v1/volumes", "Create a volume", s.createVolume)
	route(s, http.MethodGet, "/v1/volumes/{id}", "Inspect a volume", s.inspectVolume)
	route(s, http.MethodDelete, "/v1/volumes/{id}", "Remove a volume that no instance uses", s.removeVolume)
	route(s, http.MethodPost, "/v1/volumes/prune", "Remove volumes that no instance uses", s.pruneVolumes)
}

// usedVolumes names the instances that use each volume of a project, by the
// volume's name.
func (s *Server) usedVolumes(project string) map[string][]string {
	used := map[string][]string{}
	for _, in := range s.Store.Instances.Views() {
		if in.Project != project {
			continue
		}
		names := slices.Clone(in.Status.Volumes)
		for _, m := range in.Spec.Mounts {
			if m.Type == api.MountVolume && m.Source != "" {
				names = append(names, m.Source)
			}
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			used[name] = append(used[name], in.Name)
		}
	}
	return used
}

func (s *Server) listVolumes(_ context.Context, p *InProject) (*body[[]api.Volume], error) {
	out, used := []api.Volume{}, s.usedVolumes(p.Project)
	for _, v := range s.Store.Volumes.Views() {
		if v.Project != p.Project {
			continue
		}
		c := *v
		c.UsedBy = used[v.Name]
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b api.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]api.Volume]{out}, nil
}

func (s *Server) inspectVolume(_ context.Context, t *Target) (*body[api.Volume], error) {
	v, err := s.volume(*t)
	if err != nil {
		return nil, err
	}
	c := *v
	c.UsedBy = s.usedVolumes(v.Project)[v.Name]
	return &body[api.Volume]{c}, nil
}

func (s *Server) volume(t Target) (*api.Volume, error) {
	v, err := s.Store.Volumes.Find(t.Project, t.ID)
	if e, ok := err.(*api.Error); ok && e.Code == api.CodeNotFound {
		err = e.WithHint("virga volume ls lists the volumes there are")
	}
	return v, err
}

type createVolume struct {
	InProject
	Body api.VolumeRequest
}

type createdVolume struct {
	Status int
	Body   api.Volume
}

// createVolume stores the object, which owns the directory, before the
// directory is made.
func (s *Server) createVolume(ctx context.Context, r *createVolume) (*createdVolume, error) {
	v := api.Volume{
		Meta: api.Meta{ID: control.NewID(), Name: r.Body.Name, Project: r.Project, Labels: r.Body.Labels, Created: time.Now().UTC()},
		Node: s.NodeName, Size: r.Body.Size, Anonymous: r.Body.Name == "",
	}
	if v.Anonymous {
		v.Name = v.ID
	}
	for _, err := range []error{
		api.ValidateName("project", r.Project), api.ValidateName("name", v.Name), control.ValidateLabels(v.Labels),
	} {
		if err != nil {
			return nil, err
		}
	}
	if v.Size != 0 {
		return nil, api.Errorf(api.CodeNotSupported, "volumes with a limit are not built yet").InField("size").
			WithHint("leave out the size")
	}
	v.Path = s.Volumes.Path(v.ID)
	if err := s.Store.Volumes.Create(ctx, &v); err != nil {
		return nil, err
	}
	if err := s.Volumes.Create(ctx, v.ID); err != nil {
		_ = s.Store.Volumes.Delete(ctx, v.ID) // else the directory is made at its first use
		return nil, err
	}
	s.recordVolume("create", &v)
	return &createdVolume{http.StatusCreated, v}, nil
}

func (s *Server) removeVolume(ctx context.Context, t *Target) (*none, error) {
	v, err := s.volume(*t)
	if err != nil {
		return nil, err
	}
	if users := s.usedVolumes(v.Project)[v.Name]; len(users) > 0 {
		return nil, api.Errorf(api.CodeConflict, "volume %s is used by %s", v.Name, strings.Join(users, ", ")).
			WithHint("remove %s first", strings.Join(users, " "))
	}
	_, err = s.dropVolume(ctx, v)
	return &none{}, err
}

// dropVolume deletes the object, then the directory: what a crash between them
// leaves has no owner and is collected.
func (s *Server) dropVolume(ctx context.Context, v *api.Volume) (bytes int64, err error) {
	if err := s.Store.Volumes.Delete(ctx, v.ID); err != nil {
		return 0, err
	}
	if bytes, err = s.Volumes.Remove(ctx, v.ID); err != nil {
		return 0, err
	}
	s.recordVolume("remove", v)
	return bytes, nil
}

func (s *Server) pruneVolumes(ctx context.Context, r *pruneVolumes) (*body[api.PruneReport], error) {
	out := &body[api.PruneReport]{Body: api.PruneReport{Removed: []string{}}}
	used := s.usedVolumes(r.Project)
	for _, v := range s.Store.Volumes.Views() {
		if v.Project != r.Project || len(used[v.Name]) > 0 || !v.Anonymous && !r.all() {
			continue
		}
		n, err := s.dropVolume(ctx, v)
		if err != nil {
			return nil, err
		}
		out.Body.Removed = append(out.Body.Removed, v.Name)
		out.Body.Bytes += n
	}
	slices.Sort(out.Body.Removed)
	return out, nil
}

type pruneVolumes struct {
	InProject
	Prune
}

// removeAnonymous removes the anonymous volumes of an instance that is gone.
func (s *Server) removeAnonymous(ctx context.Context, in *api.Instance) error {
	used := s.usedVolumes(in.Project)
	for _, name := range in.Status.Volumes {
		v, err := s.Store.Volumes.Find(in.Project, name)
		if err != nil || !v.Anonymous || len(used[name]) > 0 {
			continue
		}
		if _, err := s.dropVolume(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) recordVolume(action string, v *api.Volume) {
	s.Events.Append(api.Event{Kind: "volume", Action: action, ID: v.ID, Name: v.Name, Project: v.Project})
}
