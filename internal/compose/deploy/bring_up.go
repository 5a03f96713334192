package deploy

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// bringUp is the bringing up of one workload.
type bringUp struct {
	*Deployment
	w       compose.Workload
	plan    *compose.Plan
	now     *state
	image   api.Image
	options UpOptions
}

// await waits for what the workload depends on. restart says that it is to be
// restarted because one of them was replaced.
func (b *bringUp) await(ctx context.Context, outcomes map[string]*outcome) (restart bool, err error) {
	for _, dep := range b.w.After {
		out := outcomes[dep.Service]
		if out == nil {
			if !dep.Optional {
				return false, api.Errorf(api.CodeInvalid, "it depends on %s, which is not part of the project", dep.Service)
			}
			continue
		}
		select {
		case <-out.done:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
		err := out.err
		if err != nil {
			err = errDependency
		} else if !b.options.NoStart {
			err = b.condition(ctx, dep)
		}
		if err != nil && !dep.Optional {
			return false, err
		}
		if err != nil {
			b.Progress.Say("service", b.w.Service, "goes on without "+dep.Service)
		}
		restart = restart || dep.Restart && out.replaced
	}
	return restart, nil
}

// condition waits until a dependency, which was brought up, is as wanted.
func (b *bringUp) condition(ctx context.Context, dep compose.Dependency) error {
	w := find(b.plan.Workloads, func(w *compose.Workload) bool { return w.Service == dep.Service })
	switch dep.Condition {
	case compose.Started:
		return nil
	case compose.Healthy:
		b.Progress.Say("service", b.w.Service, "waits until "+dep.Service+" is healthy")
		if w.Group != nil {
			return b.steady(ctx, w.Name())
		}
		return b.healthy(ctx, w.Name())
	}
	if w.Group != nil {
		return api.Errorf(api.CodeNotSupported, "it waits for the end of %s, which has several instances and never ends", dep.Service)
	}
	b.Progress.Say("service", b.w.Service, "waits until "+dep.Service+" has completed")
	return b.completed(ctx, w.Name())
}

// ensure makes the workload what the plan says.
func (b *bringUp) ensure(ctx context.Context, restart bool) (replaced bool, err error) {
	if b.w.Group != nil {
		return b.ensureGroup(ctx)
	}
	return b.ensureInstance(ctx, restart)
}
