package node

import (
	"context"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
)

// wait records that an instance does not start yet, and why.
func (a *Agent) wait(in *api.Instance) error {
	return a.observe(in.ID, func(st *api.InstanceStatus) { st.Phase, st.Reason = api.PhasePending, in.Desired.Waits.Reason })
}

// tell makes a spot notice known: as an event, and then to the workload by the
// signal and the command that its user chose. What a crash cuts short is told
// again; the workload hears of a notice at least once.
func (a *Agent) tell(ctx context.Context, in *api.Instance) error {
	n, o := in.Spot.Notice, in.Spec.Spot
	a.record(in, "notice", n.Message, map[string]string{
		"action": string(n.Action), "cause": string(n.Cause), "deadline": n.Deadline.UTC().Format(time.RFC3339),
	})
	if o != nil && o.Signal != "" {
		if err := a.Engine.Signal(ctx, in.ID, o.Signal); err != nil && !ended(err) {
			return err
		}
	}
	if o != nil && len(o.Hook) > 0 {
		a.wg.Go(func() { a.runHook(in, o.Hook, n.Deadline) })
	}
	return a.observe(in.ID, func(st *api.InstanceStatus) { st.Told = n.Deadline })
}

// runHook runs a command of the instance's own until the deadline, beside its
// worker, and takes note of one that failed.
func (a *Agent) runHook(in *api.Instance, command []string, deadline time.Time) {
	ctx, cancel := context.WithDeadline(a.events, deadline)
	defer cancel()
	s, err := a.Exec(ctx, in.ID, api.ExecSpec{Command: command})
	code, output := 0, ""
	if err == nil {
		code, output, err = collect(ctx, s)
	}
	switch {
	case a.events.Err() != nil || ended(err): // nobody is left to be told
	case err != nil:
		a.record(in, "hook", "the command for the notice was not run to its end: "+err.Error(), nil)
	case code != 0:
		a.record(in, "hook", "the command for the notice failed: "+output, map[string]string{"exitCode": strconv.Itoa(code)})
	}
}
