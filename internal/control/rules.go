package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// CreateRule stores a rule between instances; one that is there already is
// returned as it is, with made false.
func (n *Networks) CreateRule(ctx context.Context, project string, s api.RuleSpec) (r api.Rule, made bool, err error) {
	if err := api.ValidateName("project", project); err != nil {
		return r, false, err
	}
	if err := validateRule(s); err != nil {
		return r, false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, o := range n.Store.Rules.Views() {
		if o.Project == project && o.Spec == s {
			return *o, false, nil
		}
	}
	r = api.Rule{Meta: api.Meta{ID: NewID(), Project: project, Created: time.Now().UTC()}, Spec: s}
	r.Name = r.ID
	return r, true, n.Store.Rules.Create(ctx, &r)
}

func validateRule(s api.RuleSpec) error {
	if s.Action != api.RuleAllow && s.Action != api.RuleDeny {
		return api.Invalid("action", "unknown action %q", s.Action).WithHint("allow or deny")
	}
	if !slices.Contains([]string{"", "tcp", "udp"}, s.Protocol) {
		return api.Invalid("protocol", "unknown protocol %q", s.Protocol).WithHint("tcp or udp")
	}
	for field, selector := range map[string]string{"from": s.From, "to": s.To} {
		if selector == "*" {
			continue
		}
		if key, value, label := strings.Cut(selector, "="); label {
			if err := ValidateLabels(map[string]string{key: value}); err != nil {
				return err
			}
			continue
		}
		if api.ValidateName(field, selector) != nil {
			return api.Invalid(field, "%q selects no instances", selector).
				WithHint("an instance, a group, a label KEY=VALUE, or *")
		}
	}
	return nil
}
