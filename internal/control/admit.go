package control

import (
	"context"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Admission lets instances in: it validates, completes and binds them, sees
// that the node can hold them, and stores them. Its methods may be called
// concurrently and never promise more than the node has.
type Admission struct {
	Store  *store.Store
	Types  Types
	Node   string            // the one node there is
	Labels map[string]string // its own, that placements speak of
	Supply Supply            // what it gives to instances
	Images Images
	// Record appends an event; it must not block for long.
	Record func(api.Event)
	// Ahead, unless nil, begins to make an instance that is to run while it is
	// being stored. It is told once whether that came to be.
	Ahead func(*api.Instance) (stored func(ok bool))
	// Prices has what spare capacity costs.
	Prices *Prices

	promises promises
}

// Start asks for a new life of an instance that has ended. started says that
// it runs, or is about to, and was left alone.
func (a *Admission) Start(ctx context.Context, id string) (in api.Instance, started bool, err error) {
	in, err = a.change(ctx, id, func(i *api.Instance) error {
		started = i.Desired.State != api.DesiredStopped && (!i.Status.Phase.Ended() || i.Desired.Waits != nil)
		if i.Desired.State == api.DesiredPaused && started {
			return api.Errorf(api.CodeConflict, "instance %s is paused", i.Name).WithHint("virga unpause %s", i.Name)
		}
		if started {
			return nil
		}
		i.Desired = api.Desired{State: api.DesiredRunning, Life: i.Desired.Life + 1}
		return a.offer(i)
	}, true)
	return in, started, err
}

// Restart asks for a new life of an instance in any state, after the end of
// the one it may have.
func (a *Admission) Restart(ctx context.Context, id string, r api.StopRequest) (api.Instance, error) {
	return a.change(ctx, id, func(i *api.Instance) error {
		i.Desired = api.Desired{
			State: api.DesiredRunning, Life: i.Desired.Life + 1,
			StopSignal: r.Signal, StopTimeout: r.Timeout,
		}
		if i.Status.Phase.Ended() {
			return a.offer(i)
		}
		return nil
	}, true)
}

// Resume lets an instance go on that the spot market had interrupted, at the
// price in force. It is InsufficientCapacity when there is no room.
func (a *Admission) Resume(ctx context.Context, id string) (api.Instance, error) {
	return a.change(ctx, id, func(i *api.Instance) error {
		if !i.Interrupted() {
			return api.Errorf(api.CodeConflict, "instance %s is not interrupted", i.Name)
		}
		if i.Desired.State == api.DesiredPaused && !i.Status.Phase.Ended() {
			i.Desired.State = api.DesiredRunning
		} else {
			i.Desired = api.Desired{State: api.DesiredRunning, Life: i.Desired.Life + 1}
		}
		return a.offer(i)
	}, false)
}

// Change is something to be done to an instance. It may be tried on a copy,
// and more than once, and depends on nothing but its argument.
type Change = func(*api.Instance) error

// Update changes the limits and the restart policy of an instance.
func (a *Admission) Update(r api.UpdateRequest) Change {
	return func(i *api.Instance) error {
		if r.Resources != nil {
			if err := ValidateResources("resources", r.Resources); err != nil {
				return err
			}
			i.Spec.Resources = *r.Resources
			if i.Type == nil || i.Type.Family == api.FamilyCustom {
				i.Type = a.Types.Custom(*r.Resources)
			}
			if err := agree(i); err != nil {
				return err
			}
		}
		if r.Restart != nil {
			i.Spec.Restart = *r.Restart
		}
		if r.CreditMode != "" {
			if err := setCreditMode(i, r.CreditMode); err != nil {
				return err
			}
		}
		if r.Resources != nil {
			if err := a.reprice(i); err != nil {
				return err
			}
		}
		return ValidateSpec(&i.Spec)
	}
}

// Resize changes the type of an instance. Free-form limits that a type fixes
// go; what no type fixes stays.
func (a *Admission) Resize(r api.ResizeRequest) Change {
	return func(i *api.Instance) error {
		limits := &i.Spec.Resources
		if r.Disk != 0 {
			if err := api.ValidateDiskSize("disk", r.Disk); err != nil {
				return err
			}
			limits.Disk = r.Disk
		}
		switch {
		case r.Type != "":
			have := i.Limits().Disk
			i.Spec.Type, i.Spec.CreditMode = r.Type, r.CreditMode
			limits.CPUs, limits.CPUShares, limits.Memory = 0, 0, 0
			if err := a.size(i); err != nil {
				return err
			}
			if i.Limits().Disk < have && r.Disk == 0 {
				limits.Disk = have // what is written stays
			}
			return a.reprice(i)
		case r.Disk == 0:
			return api.Invalid("type", "the type is missing").WithHint("virga type ls lists the types there are")
		case i.Type == nil || i.Type.Family == api.FamilyCustom:
			i.Type = api.CustomType(*limits)
		}
		if err := agree(i); err != nil {
			return err
		}
		return a.reprice(i)
	}
}

// Preview is the instance as a change would leave it, for checks that need
// more than the store. Nothing is reserved or stored.
func (a *Admission) Preview(id string, change Change) (api.Instance, error) {
	in, err := a.Store.Instances.ByID(id)
	if err != nil {
		return in, err
	}
	return in, change(&in)
}

// Apply makes a change of Update or Resize.
func (a *Admission) Apply(ctx context.Context, id string, change Change) (api.Instance, error) {
	return a.change(ctx, id, change, false)
}

// change reserves what an instance would take after a change and makes the
// change. It starts again when the instance changed meanwhile so that it would
// take something else. A start may wait for room that spot instances have.
func (a *Admission) change(ctx context.Context, id string, change Change, mayWait bool) (api.Instance, error) {
	for {
		next, err := a.Preview(id, change)
		if err != nil {
			return next, err
		}
		want := a.held(&next)
		release, waits, err := a.reserve(&next)
		if err != nil {
			return next, err
		}
		kept, err := a.ReserveDisk(next.ID, "disk", next.Limits().Disk)
		if err != nil {
			release()
			return next, err
		}
		if waits && !mayWait {
			kept()
			release()
			return next, api.Errorf(api.CodeInsufficientCapacity, "spot instances have the room that %s needs", next.Name).
				WithHint("stop it, change it and start it again: it then waits until they have left")
		}
		since := time.Now().UTC()
		moved := false
		in, err := a.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
			if i.Desired.Remove {
				return api.Errorf(api.CodeConflict, "instance %s is being removed", i.Name)
			}
			if err := change(i); err != nil {
				return err
			}
			if waits && i.Desired.Waits == nil {
				i.Desired.Waits = madeRoom(since)
			}
			if moved = a.held(i) != want; moved {
				return api.Errorf(api.CodeConflict, "instance %s was changed by someone else meanwhile", i.Name)
			}
			return nil
		})
		kept()
		release()
		if !moved || ctx.Err() != nil {
			return in, err
		}
	}
}
