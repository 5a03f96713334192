package deploy

import (
	"context"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// interval is how often an instance is looked at that may reach one of several
// states: the API waits for one at a time.
const interval = 100 * time.Millisecond

// until looks at an instance until done says so or fails.
func (d *Deployment) until(ctx context.Context, id string, done func(api.Instance) (bool, error)) error {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		in, err := d.Client.Instance(ctx, id)
		if err != nil {
			return err
		}
		if ok, err := done(in); ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// healthy waits until an instance is healthy; one that is unhealthy, ends or
// has no check never will be.
func (d *Deployment) healthy(ctx context.Context, name string) error {
	return d.until(ctx, name, func(in api.Instance) (bool, error) {
		h := in.Status.Health
		switch {
		case h != nil && h.State == api.HealthHealthy:
			return true, nil
		case h != nil && h.State == api.HealthUnhealthy:
			return false, api.Errorf(api.CodeConflict, "%s is unhealthy%s", in.Name, lastProbe(h)).
				WithHint("virga inspect %s shows its last checks, virga logs %s its output", in.Name, in.Name)
		case in.Status.Phase.Ended():
			return false, ended(in, "before it was healthy")
		case h == nil && in.Status.Phase == api.PhaseRunning:
			return false, api.Errorf(api.CodeInvalid, "%s has no health check, so it cannot be waited for until it is healthy", in.Name).
				WithHint("give its service a healthcheck")
		}
		return false, nil
	})
}

func lastProbe(h *api.HealthStatus) string {
	if n := len(h.Log); n > 0 && h.Log[n-1].Output != "" {
		return ": " + h.Log[n-1].Output
	}
	return ""
}

// completed waits until an instance has ended well.
func (d *Deployment) completed(ctx context.Context, name string) error {
	code, err := d.Client.Wait(ctx, name, "stopped")
	if err == nil && code != 0 {
		err = api.Errorf(api.CodeConflict, "%s ended with exit code %d", name, code).WithHint("virga logs %s shows why", name)
	}
	return err
}

func ended(in api.Instance, when string) error {
	if e := in.Status.Error; e != nil {
		return e
	}
	code := 0
	if in.Status.ExitCode != nil {
		code = *in.Status.ExitCode
	}
	return api.Errorf(api.CodeConflict, "%s ended with exit code %d %s", in.Name, code, when).
		WithHint("virga logs %s shows why", in.Name)
}

// steady waits until a group has all its instances, ready.
func (d *Deployment) steady(ctx context.Context, name string) error {
	g, err := d.Client.WaitGroup(ctx, name, "steady")
	if err == nil && g.Status.Phase != api.GroupSteady {
		err = groupError(g)
	}
	return err
}

// begun waits until a new group has its first running instance.
func (d *Deployment) begun(ctx context.Context, name string) error {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		g, err := d.Client.Group(ctx, name)
		switch {
		case err != nil:
			return err
		case g.Status.Phase == api.GroupFailing:
			return groupError(g)
		case g.Status.Instances > 0:
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func groupError(g api.Group) error {
	return api.Errorf(api.CodeConflict, "group %s is %s: %s", g.Name, g.Status.Phase, g.Status.Reason).
		WithHint("virga group history %s says what was done", g.Name)
}

// settled waits until a workload runs, and is healthy where it is checked, or
// has completed.
func (d *Deployment) settled(ctx context.Context, w compose.Workload, image api.Image) error {
	if w.Group != nil {
		return d.steady(ctx, w.Name())
	}
	if checked(w.Spec().Health, image.Config.Health) {
		return d.healthy(ctx, w.Name())
	}
	return d.until(ctx, w.Name(), func(in api.Instance) (bool, error) {
		if in.Status.Phase.Ended() && !complete(&in) {
			return false, ended(in, "at once")
		}
		return in.Status.Phase == api.PhaseRunning || complete(&in), nil
	})
}

func checked(own, image *api.HealthCheck) bool {
	h := own
	if h == nil {
		h = image
	}
	return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE"
}
