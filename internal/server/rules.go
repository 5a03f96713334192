package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) ruleRoutes() {
	route(s, http.MethodGet, "/v1/rules", "List the rules between instances", s.listRules)
	route(s, http.MethodPost, "/v1/rules", "Allow or deny connections between instances", s.createRule)
	route(s, http.MethodDelete, "/v1/rules/{id}", "Remove a rule", s.removeRule)
}

func (s *Server) listRules(_ context.Context, p *InProject) (*body[[]api.Rule], error) {
	out := []api.Rule{}
	for _, r := range s.Store.Rules.Views() {
		if r.Project == p.Project {
			out = append(out, *r)
		}
	}
	slices.SortFunc(out, func(a, b api.Rule) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return &body[[]api.Rule]{out}, s.Node.CountRules(out)
}

type createRule struct {
	InProject
	Body api.RuleSpec
}

type createdRule struct {
	Status int
	Body   api.Rule
}

// createRule returns when the rule holds.
func (s *Server) createRule(ctx context.Context, r *createRule) (*createdRule, error) {
	rule, made, err := s.networks.CreateRule(ctx, r.Project, r.Body)
	if err != nil {
		return nil, err
	}
	if !made {
		return &createdRule{http.StatusOK, rule}, nil
	}
	s.recordRule("create", &rule)
	return &createdRule{http.StatusCreated, rule}, s.Node.SetNetworks(ctx)
}

func (s *Server) removeRule(ctx context.Context, t *Target) (*none, error) {
	r, err := s.Store.Rules.Find(t.Project, t.ID)
	if err != nil {
		return nil, err
	}
	if err := s.Store.Rules.Delete(ctx, r.ID); err != nil {
		return nil, err
	}
	s.recordRule("remove", r)
	return &none{}, s.Node.SetNetworks(ctx)
}

func (s *Server) recordRule(action string, r *api.Rule) {
	s.Events.Append(api.Event{Kind: "rule", Action: action, ID: r.ID, Name: r.Name, Project: r.Project,
		Attrs: map[string]string{"action": string(r.Spec.Action), "from": r.Spec.From, "to": r.Spec.To}})
}
