package node

import (
	"context"
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu"
)

// claim is what an instance is to have of the node's CPUs.
func claim(in *api.Instance) cpu.Claim {
	return cpu.Of(in.ID, in.Type, in.Spec.CreditMode, in.Limits())
}

// granted are an instance's limits with the CPUs it was given.
func granted(r api.Resources, g cpu.Grant) api.Resources {
	r.CPUs, r.CPUSet = g.CPUs, g.CPUSet
	return r
}

// limit changes the limits of the running life to those desired.
func (a *Agent) limit(ctx context.Context, in *api.Instance, want api.Resources) error {
	g, err := a.CPU.Change(claim(in))
	if err != nil {
		return err
	}
	if err := a.Engine.Update(ctx, in.ID, granted(want, g)); err != nil {
		return err
	}
	if err := a.Network.Limit(ctx, in.ID, want.NetworkRate); err != nil {
		return err
	}
	a.CPU.Started(in.ID)
	if len(g.Warnings) == 0 && g.Cores == in.Status.CPUs {
		return nil
	}
	return a.observe(in.ID, func(st *api.InstanceStatus) {
		st.CPUs = g.Cores
		st.Warnings = append(st.Warnings, g.Warnings...)
	})
}

// rested says that the instance has no life and none follows, or that one
// follows.
func (a *Agent) rested(id string, p api.Phase) {
	if p == api.PhaseRestarting {
		a.CPU.Ended(id)
		return
	}
	a.CPU.Release(id)
}

// restAll takes note of the instances that do not run, after a restart of the
// daemon: the end of their last life may not have got as far.
func (a *Agent) restAll() {
	for _, in := range a.Store.Instances.Views() {
		if in.Node == a.Name && in.Status.Phase.Ended() {
			a.CPU.Release(in.ID)
		}
	}
}

// CPUsChanged tells an instance's user that it has other CPUs than it was
// given.
func (a *Agent) CPUsChanged(id, message string) {
	in, err := a.Store.Instances.View(id)
	if err != nil {
		return
	}
	a.record(in, "cpus", message, nil)
	a.Log.Warn("an instance has other CPUs", "instance", id, "message", message)
	// An error says that the instance is gone.
	_ = a.observe(id, func(st *api.InstanceStatus) {
		if !slices.Contains(st.Warnings, message) {
			st.Warnings = append(st.Warnings, message)
		}
	})
}

// Credits is the account of a burst instance.
func (a *Agent) Credits(_ context.Context, id, series string) (api.CPUCredits, error) {
	in, err := a.instance(id)
	if err != nil {
		return api.CPUCredits{}, err
	}
	c, ok := a.account(in)
	if !ok {
		return c, noAccount(in)
	}
	switch series {
	case "1s":
		c.Series = a.CPU.Series(id, cpu.Second)
	case "5m":
		c.Series = a.CPU.Series(id, cpu.FiveMinutes)
	}
	return c, nil
}

// account is that of an instance which is a burst one now.
func (a *Agent) account(in *api.Instance) (api.CPUCredits, bool) {
	if claim(in).Family != api.FamilyBurst {
		return api.CPUCredits{}, false
	}
	return a.CPU.Credits(in.ID)
}

// noAccount says why an instance has no credits.
func noAccount(in *api.Instance) error {
	if c := claim(in); c.Family != api.FamilyBurst {
		return api.Errorf(api.CodeConflict, "instance %s has no CPU credits: its type is %s, not burst", in.Name, c.Family).
			WithHint("virga resize %s --type burst.small", in.Name)
	}
	return api.Errorf(api.CodeConflict, "instance %s has no CPU credits before its first start", in.Name).
		WithHint("virga start %s", in.Name)
}
