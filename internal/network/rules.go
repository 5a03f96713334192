package network

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// SetRules makes the rules between instances those given. Declarative and safe
// to repeat. Until it is called first, which is when what runs already has been
// adopted, the rules of an earlier daemon stay in force.
func (f *Fabric) SetRules(_ context.Context, rules []api.Rule) error {
	f.setting.Lock()
	defer f.setting.Unlock()
	f.mu.Lock()
	f.access, f.judging = slices.Clone(rules), true
	f.mu.Unlock()
	return f.applyRules()
}

// RuleCounts is what rules have matched, by their ids.
func (f *Fabric) RuleCounts() (map[string]nft.Count, error) { return f.policy.Counts() }

// judged brings the rules up to date that speak of an instance which has come,
// gone or moved. Where none does, nothing is done.
func (f *Fabric) judged(m *member) {
	f.mu.Lock()
	concerned := slices.ContainsFunc(f.access, func(r api.Rule) bool {
		return r.Project == project(m.project) && (m.selectedBy(r.Spec.From) || m.selectedBy(r.Spec.To))
	})
	f.mu.Unlock()
	if !concerned {
		return
	}
	f.setting.Lock()
	defer f.setting.Unlock()
	if err := f.applyRules(); err != nil {
		f.config.Log.Error("rules do not know of an instance", "instance", m.name, "err", err)
	}
}

// applyRules writes the policy of now.
//
// +checklocks:f.setting
func (f *Fabric) applyRules() error {
	f.mu.Lock()
	if !f.judging {
		f.mu.Unlock()
		return nil
	}
	var guarded []netip.Prefix
	for _, s := range f.segments {
		if s.spec.Policy == api.RuleDeny {
			guarded = append(guarded, s.subnets()...)
		}
	}
	members := make([]*member, 0, len(f.members))
	for _, m := range f.members {
		members = append(members, m)
	}
	p := policyOf(f.access, members)
	f.mu.Unlock()
	p.Guarded = guarded
	return f.policy.Set(p)
}

// policyOf turns rules that speak of names into rules of addresses. It is
// pure; the result is in order.
func policyOf(rules []api.Rule, members []*member) nft.Policy {
	var p nft.Policy
	for _, r := range rules {
		out := nft.PolicyRule{ID: r.ID, Allow: r.Spec.Action == api.RuleAllow, Port: r.Spec.Port}
		switch r.Spec.Protocol {
		case "tcp":
			out.Protocol = unix.IPPROTO_TCP
		case "udp":
			out.Protocol = unix.IPPROTO_UDP
		}
		for _, m := range members {
			if project(m.project) != r.Project {
				continue
			}
			for _, q := range m.ports {
				if m.selectedBy(r.Spec.From) {
					out.From = append(out.From, q.addrs()...)
				}
				if m.selectedBy(r.Spec.To) {
					out.To = append(out.To, q.addrs()...)
				}
			}
		}
		slices.SortFunc(out.From, netip.Addr.Compare)
		slices.SortFunc(out.To, netip.Addr.Compare)
		p.Rules = append(p.Rules, out)
	}
	slices.SortFunc(p.Rules, func(a, b nft.PolicyRule) int { return strings.Compare(a.ID, b.ID) })
	return p
}

// selectedBy says whether a rule's selector means an instance: by its name, its
// group's, a label, or all.
func (m *member) selectedBy(selector string) bool {
	if selector == "*" || selector == m.name || m.group != "" && selector == m.group {
		return true
	}
	key, value, label := strings.Cut(selector, "=")
	if !label {
		return false
	}
	have, ok := m.labels[key]
	return ok && have == value
}
