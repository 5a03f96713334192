package server

import (
	"context"
	"fmt"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
)

// changeGroup applies a change to a group's spec, checks the result, stores it
// with a line of history for each of its messages, and records the event.
func (s *Server) changeGroup(ctx context.Context, t Target, action string, change func(*api.Group, time.Time) (messages []string, err error)) (*body[*api.Group], error) {
	g, err := s.group(t)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	var messages []string
	next, err := s.Store.Groups.Update(ctx, g.ID, func(g *api.Group) (err error) {
		if g.Remove {
			return api.Errorf(api.CodeConflict, "group %s is being removed", g.Name)
		}
		if messages, err = change(g, now); err != nil {
			return err
		}
		for _, m := range messages {
			group.Note(g, now, m)
		}
		return control.ValidateGroup(g.Name, &g.Spec)
	})
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		s.recordGroup(&next, action, m, nil)
	}
	return &body[*api.Group]{&next}, nil
}

type updateGroup struct {
	Target
	Body api.GroupUpdate
}

func (s *Server) updateGroup(ctx context.Context, r *updateGroup) (*body[*api.Group], error) {
	u := r.Body
	image := ""
	if u.Template != nil {
		img, err := s.Admission.Check(ctx, r.Project, u.Template)
		if err != nil {
			return nil, err
		}
		image = img.ID
	}
	return s.changeGroup(ctx, r.Target, "update", func(g *api.Group, now time.Time) (messages []string, err error) {
		if u.Labels != nil {
			g.Spec.Labels = u.Labels
		}
		if u.Update != nil {
			g.Spec.Update = *u.Update
		}
		if u.HealthGrace != nil {
			g.Spec.HealthGrace = *u.HealthGrace
		}
		if u.Purchase != nil {
			if g.Spec.Purchase = u.Purchase; *u.Purchase == (api.Purchase{}) {
				g.Spec.Purchase = nil
			}
		}
		if u.ScaleIn != nil {
			g.Spec.ScaleIn = *u.ScaleIn
		}
		if u.Warm != nil {
			if g.Spec.Warm = u.Warm; u.Warm.Size == 0 {
				g.Spec.Warm = nil
			}
		}
		if u.Template == nil {
			return nil, nil
		}
		if n, changed := group.Revise(g, *u.Template, image, now); changed {
			rolling(g)
			messages = append(messages, fmt.Sprintf("revision %d: the template was updated", n))
		}
		return messages, nil
	})
}

// rolling says in the status, before the controller has looked, that a roll is
// under way: who waits for its end must not take the state before for it.
func rolling(g *api.Group) {
	if g.Spec.Job == nil && g.Spec.Desired > 0 {
		g.Status.Phase, g.Status.Current = api.GroupRolling, 0
	}
}

type scaleGroup struct {
	Target
	Body api.ScaleRequest
}

func (s *Server) scaleGroup(ctx context.Context, r *scaleGroup) (*body[*api.Group], error) {
	q := r.Body
	return s.changeGroup(ctx, r.Target, "scale", func(g *api.Group, _ time.Time) (messages []string, err error) {
		sp := &g.Spec
		was := sp.Desired
		if q.Min != nil {
			sp.Min = *q.Min
		}
		if q.Max != nil {
			sp.Max = *q.Max
		}
		switch {
		case q.Desired != nil:
			sp.Desired = *q.Desired
		case sp.Max > 0:
			sp.Desired = max(sp.Min, min(sp.Desired, sp.Max))
		default:
			sp.Desired = max(sp.Min, sp.Desired)
		}
		if sp.Desired != was {
			if st := &g.Status; st.Phase == api.GroupFailing && st.Held == 0 {
				group.Forgive(st) // what could not be had may not be wanted any more
				st.Phase = api.GroupScaling
			}
			messages = append(messages, fmt.Sprintf("%d → %d because the user scaled it", was, sp.Desired))
		}
		if q.Manual && sp.Scaling != nil {
			sp.Scaling = nil
			messages = append(messages, "the number no longer follows the load")
		}
		if q.Scaling != nil {
			sp.Scaling = q.Scaling
			messages = append(messages, fmt.Sprintf("the number follows the load, from %d to %d", sp.Min, sp.Max))
		}
		return messages, nil
	})
}

func (s *Server) pauseGroup(ctx context.Context, t *Target) (*none, error) {
	return s.setPaused(ctx, t, true)
}

func (s *Server) resumeGroup(ctx context.Context, t *Target) (*none, error) {
	return s.setPaused(ctx, t, false)
}

func (s *Server) setPaused(ctx context.Context, t *Target, paused bool) (*none, error) {
	action := map[bool]string{true: "pause", false: "resume"}[paused]
	_, err := s.changeGroup(ctx, *t, action, func(g *api.Group, _ time.Time) ([]string, error) {
		if st := &g.Status; !paused && st.Held != 0 {
			group.Forgive(st)
		} else if g.Spec.Paused == paused {
			return nil, nil
		}
		g.Spec.Paused = paused
		if paused {
			return []string{"paused by the user"}, nil
		}
		rolling(g)
		return []string{"resumed by the user"}, nil
	})
	return &none{}, err
}

type undoGroup struct {
	Target
	Body *struct {
		Revision int `json:"revision,omitempty" minimum:"0" doc:"Default the one before the current"`
	} `required:"false"`
}

func (s *Server) undoGroup(ctx context.Context, r *undoGroup) (*body[*api.Group], error) {
	to := 0
	if r.Body != nil {
		to = r.Body.Revision
	}
	return s.changeGroup(ctx, r.Target, "undo", func(g *api.Group, now time.Time) ([]string, error) {
		n, err := group.Return(g, to, now)
		if err != nil {
			return nil, err
		}
		rolling(g)
		return []string{fmt.Sprintf("back to revision %d because the user asked for it", n)}, nil
	})
}
