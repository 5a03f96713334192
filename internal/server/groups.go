package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/autoscale"
	"github.com/virga-cloud/virga/internal/control/controller"
	"github.com/virga-cloud/virga/internal/control/group"
)

func (s *Server) groupRoutes() {
	route(s, http.MethodGet, "/v1/groups", "List groups", s.listGroups)
	route(s, http.MethodPost, "/v1/groups", "Create a group", s.createGroup)
	route(s, http.MethodGet, "/v1/groups/{id}", "Inspect a group", s.inspectGroup)
	route(s, http.MethodDelete, "/v1/groups/{id}", "Remove a group with its instances, and wait until they are gone", s.removeGroup)
	route(s, http.MethodPost, "/v1/groups/{id}/update", "Change a group's template or policies, and roll the template out", s.updateGroup)
	route(s, http.MethodPost, "/v1/groups/{id}/scale", "Change how many instances a group has", s.scaleGroup)
	route(s, http.MethodPost, "/v1/groups/{id}/pause", "Make a group heal only", s.pauseGroup)
	route(s, http.MethodPost, "/v1/groups/{id}/resume", "Let a paused group roll and scale again", s.resumeGroup)
	route(s, http.MethodPost, "/v1/groups/{id}/undo", "Return to an earlier revision of a group", s.undoGroup)
	route(s, http.MethodGet, "/v1/groups/{id}/forecast", "Show the past load of a group that predicts, and what is expected", s.forecastGroup)
	route(s, http.MethodGet, "/v1/groups/{id}/wait", "Wait for a state of a group", s.waitGroup)
}

// group finds the one a call is about. It must not be changed.
func (s *Server) group(t Target) (*api.Group, error) {
	g, err := s.Store.Groups.Find(t.Project, t.ID)
	if e, ok := err.(*api.Error); ok && e.Code == api.CodeNotFound {
		err = e.WithHint("virga group ls lists the groups there are")
	}
	return g, err
}

func (s *Server) listGroups(_ context.Context, p *InProject) (*body[[]*api.Group], error) {
	list := slices.DeleteFunc(s.Store.Groups.Views(), func(g *api.Group) bool { return g.Project != p.Project })
	slices.SortFunc(list, func(a, b *api.Group) int { return cmp.Compare(a.Name, b.Name) })
	return &body[[]*api.Group]{list}, nil
}

func (s *Server) inspectGroup(_ context.Context, t *Target) (*body[*api.Group], error) {
	g, err := s.group(*t)
	return &body[*api.Group]{g}, err
}

func (s *Server) forecastGroup(_ context.Context, t *Target) (*body[api.GroupForecast], error) {
	g, err := s.group(*t)
	if err != nil {
		return nil, err
	}
	if g.Spec.Scaling == nil || g.Spec.Scaling.Predictive == nil {
		return nil, api.Errorf(api.CodeConflict, "group %s does not predict its load", g.Name).
			WithHint("virga group scale %s --max N --cpu 70 --predict forecast", g.Name)
	}
	f := api.GroupForecast{Group: g.Name, Slot: api.Duration(autoscale.Slot), History: []api.LoadSlot{}, Forecast: []api.LoadSlot{}}
	if l, err := s.Store.Loads.View(g.ID); err == nil {
		f.History, f.Forecast = l.Slots(), l.Forecast(time.Now(), autoscale.Horizon)
	}
	return &body[api.GroupForecast]{f}, nil
}

type createGroup struct {
	InProject
	Body api.GroupRequest
}

type createdGroup struct {
	Status int
	Body   *api.Group
}

func (s *Server) createGroup(ctx context.Context, r *createGroup) (*createdGroup, error) {
	if err := api.ValidateName("project", r.Project); err != nil {
		return nil, err
	}
	if err := control.ValidateLabels(r.Body.Labels); err != nil {
		return nil, err
	}
	if err := control.ValidateGroup(r.Body.Name, &r.Body.Spec); err != nil {
		return nil, err
	}
	img, err := s.Admission.Check(ctx, r.Project, &r.Body.Spec.Template)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	g := &api.Group{
		Meta:   api.Meta{ID: control.NewID(), Name: r.Body.Name, Project: r.Project, Labels: r.Body.Labels, Created: now},
		Spec:   r.Body.Spec,
		Status: api.GroupStatus{Phase: api.GroupScaling},
	}
	group.Revise(g, g.Spec.Template, img.ID, now)
	if g.Spec.Job == nil {
		group.Note(g, now, fmt.Sprintf("0 → %d because the group was created", g.Spec.Desired))
	}
	if err := s.Store.Groups.Create(ctx, g); err != nil {
		return nil, err
	}
	s.recordGroup(g, "create", "", map[string]string{"image": g.Spec.Template.Image})
	return &createdGroup{http.StatusCreated, g}, nil
}

type removeGroup struct {
	Target
	Volumes bool `query:"volumes" doc:"The volumes its instances claimed too"`
}

func (s *Server) removeGroup(ctx context.Context, r *removeGroup) (*none, error) {
	g, err := s.group(r.Target)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Groups.Update(ctx, g.ID, func(g *api.Group) error {
		g.Remove = true
		return nil
	})
	if err != nil && api.CodeOf(err) != api.CodeNotFound {
		return nil, err
	}
	_, err = s.Store.Groups.Await(ctx, g.ID, func(*api.Group) bool { return false })
	if api.CodeOf(err) != api.CodeNotFound {
		return nil, err
	}
	if r.Volumes {
		return &none{}, s.dropClaims(ctx, g)
	}
	return &none{}, nil
}

// dropClaims removes the volumes that instances of a group claimed.
func (s *Server) dropClaims(ctx context.Context, g *api.Group) error {
	used := s.usedVolumes(g.Project)
	for _, m := range g.Spec.Template.Mounts {
		if !m.Claim {
			continue
		}
		prefix := strings.TrimSuffix(controller.ClaimedVolume(m.Source, g.Name, 0), "0")
		for _, v := range s.Store.Volumes.Views() {
			ordinal, ok := strings.CutPrefix(v.Name, prefix)
			if !ok || v.Project != g.Project || strings.Trim(ordinal, "0123456789") != "" || len(used[v.Name]) > 0 {
				continue
			}
			if _, err := s.dropVolume(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}

type waitGroup struct {
	Target
	For string `query:"for" enum:"steady,finished,removed" default:"steady" doc:"The state to wait for, finished is for jobs; a group that does not get on ends the wait too"`
}

func (s *Server) waitGroup(ctx context.Context, r *waitGroup) (*body[*api.Group], error) {
	g, err := s.group(r.Target)
	if err != nil {
		return nil, err
	}
	last, err := s.Store.Groups.Await(ctx, g.ID, func(g *api.Group) bool {
		if r.For == "removed" {
			return false
		}
		if r.For == "finished" {
			return g.Spec.Job == nil || g.Status.Job != nil && !g.Status.Job.Finished.IsZero()
		}
		switch g.Status.Phase {
		case api.GroupSteady:
			return g.Status.Ready == g.Spec.Desired && g.Status.Current == g.Spec.Desired
		case api.GroupFailing, api.GroupPaused:
			return true
		}
		return false
	})
	if r.For == "removed" && api.CodeOf(err) == api.CodeNotFound {
		return &body[*api.Group]{g}, nil
	}
	return &body[*api.Group]{last}, err
}

func (s *Server) recordGroup(g *api.Group, action, message string, attrs map[string]string) {
	s.Events.Append(api.Event{
		Kind: "group", Action: action, ID: g.ID, Name: g.Name, Project: g.Project, Message: message, Attrs: attrs,
	})
}
