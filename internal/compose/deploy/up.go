package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/compose"
)

// UpOptions say how far an Up goes.
type UpOptions struct {
	RemoveOrphans bool
	ForceRecreate bool // replace what is as it should be, too
	NoRecreate    bool // leave what there is, also when it differs
	NoStart       bool // make instances and leave them
	Wait          bool // until everything runs, and is healthy where checked
	// WaitTimeout bounds Wait; zero does not.
	WaitTimeout time.Duration
}

// Up makes what the plan asks for: what is missing is made, what differs is
// replaced, what is as it should be is left alone.
func (d *Deployment) Up(ctx context.Context, p *compose.Plan, o UpOptions) error {
	now, err := d.observe(ctx)
	if err != nil {
		return err
	}
	if err := d.orphans(ctx, p, &now, o.RemoveOrphans); err != nil {
		return err
	}
	images, err := d.images(ctx, p)
	if err != nil {
		return err
	}
	if err := writeFiles(p.Files); err != nil {
		return err
	}
	if err := d.networks(ctx, p, &now); err != nil {
		return err
	}
	if err := d.volumes(ctx, p, &now); err != nil {
		return err
	}
	return d.workloads(ctx, p, &now, images, o)
}

// outcome is what became of one workload.
type outcome struct {
	done     chan struct{}
	replaced bool // another life began because the configuration differs
	err      error
}

// errDependency says that the error which matters is another workload's.
var errDependency = errors.New("a service it depends on did not come up")

// workloads brings up all services side by side, each when those it depends on
// have got as far as it wants.
func (d *Deployment) workloads(ctx context.Context, p *compose.Plan, now *state, images map[string]api.Image, o UpOptions) error {
	outcomes := map[string]*outcome{}
	for _, w := range p.Workloads {
		outcomes[w.Service] = &outcome{done: make(chan struct{})}
	}
	var wg sync.WaitGroup
	for _, w := range p.Workloads {
		wg.Go(func() {
			out := outcomes[w.Service]
			defer close(out.done)
			b := bringUp{Deployment: d, w: w, plan: p, now: now, image: images[w.Spec().Image], options: o}
			var restart bool
			if restart, out.err = b.await(ctx, outcomes); out.err != nil {
				return
			}
			out.replaced, out.err = b.ensure(ctx, restart)
		})
	}
	wg.Wait()
	var errs []error
	for _, w := range p.Workloads {
		if err := outcomes[w.Service].err; err != nil && !errors.Is(err, errDependency) {
			errs = append(errs, inService(w.Service, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if o.Wait && !o.NoStart {
		return d.settle(ctx, p, images, o.WaitTimeout)
	}
	return nil
}

// settle waits until every workload is settled, at most that long unless it is
// zero.
func (d *Deployment) settle(ctx context.Context, p *compose.Plan, images map[string]api.Image, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	for _, w := range p.Workloads {
		err := d.settled(ctx, w, images[w.Spec().Image])
		if err != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return api.Errorf(api.CodeConflict, "service %s does not run, or is not healthy, after %s", w.Service, timeout).
				WithHint("virga compose ps shows how far it is; it goes on")
		}
		if err != nil {
			return inService(w.Service, err)
		}
	}
	return nil
}

// inService says in which service err happened, and keeps code and hint.
func inService(service string, err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		c := *e
		c.Message = fmt.Sprintf("service %s: %s", service, e.Message)
		return &c
	}
	return fmt.Errorf("service %s: %w", service, err)
}
