package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

func (s *Server) volumeRoutes() {
	route(s, http.MethodGet, "/v1/volumes", "List volumes", s.listVolumes)
	route(s, http.MethodPost, "/v1/volumes", "Create a volume", s.createVolume)
	route(s, http.MethodGet, "/v1/volumes/{id}", "Inspect a volume", s.inspectVolume)
	route(s, http.MethodPost, "/v1/volumes/{id}/update", "Change a volume's size, access or labels", s.updateVolume)
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
		out = append(out, s.withUse(v, used))
	}
	slices.SortFunc(out, func(a, b api.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]api.Volume]{out}, nil
}

func (s *Server) inspectVolume(_ context.Context, t *Target) (*body[api.Volume], error) {
	v, err := s.volume(*t)
	if err != nil {
		return nil, err
	}
	return &body[api.Volume]{s.withUse(v, s.usedVolumes(v.Project))}, nil
}

// withUse is a volume with what is computed when it is read.
func (s *Server) withUse(v *api.Volume, used map[string][]string) api.Volume {
	c := *v
	c.UsedBy = used[v.Name]
	if v.Size == 0 {
		return c
	}
	if u, err := s.Volumes.Usage(v.ID); err == nil { // else it was not made yet
		c.Usage = &u
	}
	return c
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
	v := s.newVolume(r.Project, r.Body.Name, r.Body.Labels, r.Body.Size, r.Body.Access)
	if v.Anonymous = v.Name == ""; v.Anonymous {
		v.Name = v.ID
	}
	if err := s.checkNewVolume(v); err != nil {
		return nil, err
	}
	kept, err := s.Admission.ReserveDisk(v.ID, "size", v.Size)
	if err != nil {
		return nil, err
	}
	defer kept()
	if err := s.Store.Volumes.Create(ctx, v); err != nil {
		return nil, err
	}
	if err := s.Volumes.Create(ctx, v.ID, v.Size); err != nil {
		return nil, errors.Join(err, s.Store.Volumes.Delete(context.WithoutCancel(ctx), v.ID))
	}
	s.recordVolume("create", v)
	return &createdVolume{http.StatusCreated, *v}, nil
}

// checkNewVolume refuses what cannot be made, before anything is.
func (s *Server) checkNewVolume(v *api.Volume) error {
	for _, err := range []error{
		api.ValidateName("project", v.Project), api.ValidateName("name", v.Name), control.ValidateLabels(v.Labels),
	} {
		if err != nil {
			return err
		}
	}
	if _, err := s.Store.Volumes.ByName(v.Project, v.Name); err == nil {
		return api.Errorf(api.CodeConflict, "volume %s is there already", v.Name).InField("name").WithHint("choose another name")
	}
	if v.Size == 0 {
		return nil
	}
	if err := api.ValidateDiskSize("size", v.Size); err != nil {
		return err
	}
	_, err := s.Volumes.Method()
	return err
}

type updateVolume struct {
	Target
	Body api.VolumeUpdate
}

func (s *Server) updateVolume(ctx context.Context, r *updateVolume) (*body[api.Volume], error) {
	v, err := s.volume(r.Target)
	if err != nil {
		return nil, err
	}
	u := r.Body
	if err := control.ValidateLabels(u.Labels); err != nil {
		return nil, err
	}
	if u.Access != "" && u.Access != v.Access && v.Snapshot != nil {
		return nil, api.Errorf(api.CodeConflict, "volume %s is a snapshot, which does not change", v.Name).InField("access").
			WithHint("restore it into a volume of its own")
	}
	if u.Size != 0 && u.Size != v.Size {
		kept, err := s.Admission.ReserveDisk(v.ID, "size", u.Size)
		if err != nil {
			return nil, err
		}
		defer kept()
		if err := s.growVolume(ctx, v, u.Size); err != nil {
			return nil, err
		}
	}
	now, err := s.Store.Volumes.Update(ctx, v.ID, func(o *api.Volume) error {
		if u.Size != 0 {
			o.Size = u.Size
		}
		if u.Access != "" {
			o.Access = u.Access
		}
		if u.Labels != nil {
			o.Labels = u.Labels
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.recordVolume("update", &now)
	return &body[api.Volume]{s.withUse(&now, s.usedVolumes(now.Project))}, nil
}

// growVolume comes before the object is changed: a volume that is larger than
// it is said to be harms nobody.
func (s *Server) growVolume(ctx context.Context, v *api.Volume, size int64) error {
	if v.Size == 0 {
		return api.Errorf(api.CodeConflict, "volume %s was made without a size", v.Name).InField("size").
			WithHint("copy it into one with a size: virga volume restore --size SIZE %s NEWNAME", v.Name)
	}
	if v.Snapshot != nil {
		return api.Errorf(api.CodeConflict, "volume %s is a snapshot, which does not change", v.Name).InField("size")
	}
	if err := api.ValidateDiskSize("size", size); err != nil {
		return err
	}
	return s.Volumes.Grow(ctx, v.ID, size)
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
	done, err := s.Volumes.Claim(v.ID, v.Name, "removed")
	if err != nil {
		return 0, err
	}
	defer done()
	if err := s.Store.Volumes.Delete(ctx, v.ID); err != nil {
		return 0, err
	}
	if bytes, err = s.Volumes.Remove(ctx, v.ID); err != nil {
		return 0, err
	}
	s.recordVolume("remove", v)
	return bytes, nil
}

func (s *Server) pruneVolumes(ctx context.Context, r *pruneIn) (*body[api.PruneReport], error) {
	out := &body[api.PruneReport]{Body: api.PruneReport{Removed: []string{}}}
	used, p := s.usedVolumes(r.Project), r.request()
	for _, v := range s.Store.Volumes.Views() {
		if v.Project != r.Project || len(used[v.Name]) > 0 || !v.Anonymous && !p.All || v.Snapshot != nil || !p.Takes(v.Created, v.Labels) {
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

type pruneIn struct {
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
