package service

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/virga-cloud/virga/api"
)

// Known is what the node knows of instances beside their objects.
type Known struct {
	// Draining says that an instance is about to be stopped.
	Draining func(instance string) bool
	// Verdict is what the service's checks say of an instance's present life.
	Verdict func(in *api.Instance) Verdict
}

// Selects reports whether a service is for an instance.
func Selects(s *api.Service, in *api.Instance) bool {
	sel := s.Spec.Selector
	if in.Warm || s.Project != in.Project || len(sel.Labels) == 0 && sel.Group == "" {
		return false
	}
	if sel.Group != "" && sel.Group != groupOf(in) {
		return false
	}
	for k, v := range sel.Labels {
		if have, ok := in.Labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// Backends are the instances behind a service and their states, by name.
func Backends(s *api.Service, instances []*api.Instance, k Known) []api.ServiceBackend {
	var out []api.ServiceBackend
	for _, in := range instances {
		if Selects(s, in) {
			out = append(out, backend(s, in, k))
		}
	}
	slices.SortFunc(out, func(a, b api.ServiceBackend) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	return out
}

func backend(s *api.Service, in *api.Instance, k Known) api.ServiceBackend {
	b := api.ServiceBackend{Instance: in.ID, Name: in.Name, Weight: Weight(in)}
	b.Address, b.Address6 = addressesOn(in, s.Spec.Network)
	b.State, b.Reason = state(s, in, b, k)
	return b
}

func state(s *api.Service, in *api.Instance, b api.ServiceBackend, k Known) (api.BackendState, string) {
	st := &in.Status
	switch st.Phase {
	case api.PhaseRunning, api.PhasePaused, api.PhaseStopping:
	default:
		return api.BackendIdle, string(st.Phase)
	}
	switch {
	case !b.Address.IsValid():
		return api.BackendIdle, "is not on network " + s.Spec.Network
	case stopping(in) || k.Draining(in.ID):
		return api.BackendDraining, ""
	case in.Noticed():
		return api.BackendDraining, "its spot capacity is needed"
	case st.Phase == api.PhasePaused:
		return api.BackendDown, "paused"
	case st.Health != nil && st.Health.State == api.HealthUnhealthy:
		return api.BackendDown, "its health check fails"
	case st.Health != nil && st.Health.State == api.HealthStarting:
		return api.BackendStarting, "its health check has not succeeded yet"
	}
	v := k.Verdict(in)
	switch {
	case !v.Up && !v.WasUp:
		return api.BackendStarting, cmp.Or(v.Reason, "not checked yet")
	case !v.Up:
		return api.BackendDown, v.Reason
	case b.Weight == 0:
		return api.BackendDown, "its weight is 0"
	}
	return api.BackendUp, ""
}

// stopping says that the control plane wants the present life to end.
func stopping(in *api.Instance) bool {
	return in.Desired.State == api.DesiredStopped || in.Desired.Remove || in.Status.Life < in.Desired.Life ||
		in.Status.Phase == api.PhaseStopping
}

// Weight is the share that an instance's label asks for.
func Weight(in *api.Instance) int {
	n, err := strconv.Atoi(in.Labels[api.WeightLabel])
	if err != nil || n < 0 {
		return 1
	}
	return min(n, 1000)
}

func addressesOn(in *api.Instance, network string) (v4, v6 netip.Addr) {
	for _, a := range in.Status.Addresses {
		if a.Network == network {
			return a.Address, a.Address6
		}
	}
	return v4, v6
}

// groupOf is the group that an instance belongs to, "" for none.
func groupOf(in *api.Instance) string { return in.Group }
