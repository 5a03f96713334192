package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

func (s *Server) instanceRoutes() {
	route(s, http.MethodGet, "/v1/instances", "List instances", s.listInstances)
	route(s, http.MethodPost, "/v1/instances", "Create an instance, and start it; one that has to wait for room is returned with desired.waits", s.createInstance)
	route(s, http.MethodGet, "/v1/instances/{id}", "Inspect an instance", s.inspectInstance)
	route(s, http.MethodDelete, "/v1/instances/{id}", "Remove an instance, and wait until it is gone", s.removeInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/rename", "Give an instance another name", s.renameInstance)
}

// instance finds the one a call is about. It must not be changed.
func (s *Server) instance(t Target) (*api.Instance, error) {
	in, err := s.Store.Instances.Find(t.Project, t.ID)
	if e, ok := err.(*api.Error); ok && e.Code == api.CodeNotFound {
		err = e.WithHint("virga ps -a lists the instances there are")
	}
	return in, err
}

type instanceList struct {
	InProject
	Labels []string    `query:"label,explode" doc:"KEY or KEY=VALUE; all must match"`
	Phases []api.Phase `query:"phase,explode" doc:"Any of them"`
}

func (s *Server) listInstances(_ context.Context, in *instanceList) (*body[[]*api.Instance], error) {
	selector, err := control.ParseSelector(in.Labels)
	if err != nil {
		return nil, err
	}
	list := s.Store.Instances.Views()
	list = slices.DeleteFunc(list, func(i *api.Instance) bool {
		return i.Project != in.Project || !selector.Matches(i.Labels) ||
			len(in.Phases) > 0 && !slices.Contains(in.Phases, i.Status.Phase)
	})
	slices.SortFunc(list, func(a, b *api.Instance) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name))
	})
	return &body[[]*api.Instance]{list}, nil
}

func (s *Server) inspectInstance(ctx context.Context, t *Target) (*body[*api.Instance], error) {
	in, err := s.instance(*t)
	if err != nil {
		return nil, err
	}
	return &body[*api.Instance]{s.withDisk(s.withAccount(ctx, in))}, nil
}

type createInstance struct {
	InProject
	Start bool `query:"start" doc:"Start it too, and wait until its workload runs"`
	Body  api.CreateRequest
}

type created struct {
	Status int
	Body   *api.Instance
}

func (s *Server) createInstance(ctx context.Context, r *createInstance) (*created, error) {
	in, err := s.Admission.Create(ctx, control.Creation{CreateRequest: r.Body, Project: r.Project, Start: r.Start})
	if err != nil {
		return nil, err
	}
	if r.Start && in.Desired.Waits == nil {
		if in, err = s.awaitStart(ctx, in, in.Desired.Life); err != nil {
			return nil, err
		}
	}
	return &created{http.StatusCreated, in}, nil
}

type removeInstance struct {
	Target
	Force   bool `query:"force" doc:"Kill it first when it runs"`
	Volumes bool `query:"volumes" doc:"Its anonymous volumes too"`
}

func (s *Server) removeInstance(ctx context.Context, r *removeInstance) (*none, error) {
	in, err := s.instance(r.Target)
	if err != nil {
		return nil, err
	}
	in, err = s.desireRemoval(ctx, in, r.Force)
	if api.CodeOf(err) == api.CodeNotFound {
		return &none{}, nil // someone else's removal
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Instances.Await(ctx, in.ID, func(*api.Instance) bool { return false }); api.CodeOf(err) != api.CodeNotFound {
		return nil, err
	}
	if r.Volumes {
		return &none{}, s.removeAnonymous(ctx, in)
	}
	return &none{}, nil
}

// desireRemoval asks the node to remove an instance. Of one that has ended and
// has no volumes the object goes first, so that its deletion is the only thing
// that must reach the disk.
func (s *Server) desireRemoval(ctx context.Context, in *api.Instance, force bool) (*api.Instance, error) {
	desire := func(i *api.Instance) error {
		if !force && !i.Desired.Remove && !i.Status.Phase.Ended() {
			return api.Errorf(api.CodeConflict, "instance %s is %s", i.Name, i.Status.Phase).
				WithHint("stop it first: virga stop %s; or use force", i.Name)
		}
		i.Desired.State, i.Desired.Remove = api.DesiredStopped, true
		return nil
	}
	if !in.Status.Phase.Ended() || len(in.Status.Volumes) > 0 {
		now, err := s.Store.Instances.Update(ctx, in.ID, desire)
		return &now, err
	}
	// A refusal changes nothing; the object then tells.
	if err := s.Store.Instances.Observe(in.ID, func(i *api.Instance) { _ = desire(i) }); err != nil {
		return in, err
	}
	now, err := s.Store.Instances.View(in.ID)
	if err == nil && !now.Desired.Remove {
		refused := *now
		err = desire(&refused)
	}
	return in, err
}

type renameInstance struct {
	Target
	Body struct {
		Name string `json:"name"`
	}
}

func (s *Server) renameInstance(ctx context.Context, r *renameInstance) (*none, error) {
	if err := api.ValidateName("name", r.Body.Name); err != nil {
		return nil, err
	}
	in, err := s.instance(r.Target)
	if err != nil {
		return nil, err
	}
	old := in.Name
	now, err := s.Store.Instances.Update(ctx, in.ID, func(i *api.Instance) error {
		i.Name = r.Body.Name
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.record(&now, "rename", "was "+old, nil)
	return &none{}, nil
}

// record appends an event about an instance.
func (s *Server) record(in *api.Instance, action, message string, attrs map[string]string) {
	s.Events.Append(api.Event{
		Kind: "instance", Action: action, ID: in.ID, Name: in.Name, Project: in.Project, Message: message, Attrs: attrs,
	})
}
