package control

import (
	"context"
	"sync"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Admission lets instances in: it validates, completes and binds them, sees
// that the node can hold them, and stores them. Its methods may be called
// concurrently and never promise more than the node has.
type Admission struct {
	Store *store.Store
	Node  string // the one node there is
	// Allocatable is what the node gives to instances; zero is not enforced.
	Allocatable api.Amount
	Images      Images
	// Record appends an event; it must not block for long.
	Record func(api.Event)

	mu       sync.Mutex
	promised map[string]int64 // +checklocks:mu memory of instances about to be stored as running, by id
}

// Start asks for a new life of an instance that has ended. started says that
// it runs, or is about to, and was left alone.
func (a *Admission) Start(ctx context.Context, id string) (in api.Instance, started bool, err error) {
	seen, err := a.Store.Instances.View(id)
	if err != nil {
		return in, false, err
	}
	release, err := a.reserve(id, seen.Spec.Resources.Memory)
	if err != nil {
		return in, false, err
	}
	defer release()
	in, err = a.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
		started = i.Desired.State != api.DesiredStopped && !i.Status.Phase.Ended()
		if i.Desired.Remove {
			return beingRemoved(i)
		}
		if i.Desired.State == api.DesiredPaused && started {
			return api.Errorf(api.CodeConflict, "instance %s is paused", i.Name).WithHint("virga unpause %s", i.Name)
		}
		if !started {
			i.Desired = api.Desired{State: api.DesiredRunning, Life: i.Desired.Life + 1}
		}
		return nil
	})
	return in, started, err
}

// Restart asks for a new life of an instance in any state, after the end of
// the one it may have.
func (a *Admission) Restart(ctx context.Context, id string, r api.StopRequest) (api.Instance, error) {
	seen, err := a.Store.Instances.View(id)
	if err != nil {
		return api.Instance{}, err
	}
	release, err := a.reserve(id, seen.Spec.Resources.Memory)
	if err != nil {
		return api.Instance{}, err
	}
	defer release()
	return a.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
		if i.Desired.Remove {
			return beingRemoved(i)
		}
		i.Desired = api.Desired{
			State: api.DesiredRunning, Life: i.Desired.Life + 1,
			StopSignal: r.Signal, StopTimeout: r.Timeout,
		}
		return nil
	})
}

// Update changes the limits and the restart policy of an instance.
func (a *Admission) Update(ctx context.Context, id string, r api.UpdateRequest) (api.Instance, error) {
	if r.Resources != nil {
		if err := ValidateResources("resources", r.Resources); err != nil {
			return api.Instance{}, err
		}
		seen, err := a.Store.Instances.View(id)
		if err != nil {
			return api.Instance{}, err
		}
		if Holds(seen) {
			release, err := a.reserve(id, r.Resources.Memory)
			if err != nil {
				return api.Instance{}, err
			}
			defer release()
		}
	}
	return a.Store.Instances.Update(ctx, id, func(i *api.Instance) error {
		if i.Desired.Remove {
			return beingRemoved(i)
		}
		if r.Resources != nil {
			i.Spec.Resources = *r.Resources
		}
		if r.Restart != nil {
			i.Spec.Restart = *r.Restart
		}
		if r.Protected != nil {
			i.Protected = *r.Protected
		}
		return ValidateSpec(&i.Spec)
	})
}

func beingRemoved(i *api.Instance) error {
	return api.Errorf(api.CodeConflict, "instance %s is being removed", i.Name)
}

// reserve checks that the node has memory left for an instance, and keeps it
// from others until release is called, when the store knows of it.
func (a *Admission) reserve(id string, memory int64) (release func(), err error) {
	if memory == 0 || a.Allocatable.Memory == 0 {
		return func() {}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	free := a.Allocatable.Memory
	for other, m := range a.promised {
		if other != id {
			free -= m
		}
	}
	for _, i := range a.Store.Instances.Views() {
		if _, counted := a.promised[i.ID]; !counted && i.ID != id && i.Node == a.Node && Holds(i) {
			free -= i.Spec.Resources.Memory
		}
	}
	if memory > free {
		return nil, api.Errorf(api.CodeInsufficientCapacity, "memory: %s asked, %s of %s free on node %s",
			api.FormatBytes(memory), api.FormatBytes(max(0, free)), api.FormatBytes(a.Allocatable.Memory), a.Node).
			InField("spec.resources.memory").WithHint("stop an instance, or ask for no more than %s", api.FormatBytes(max(0, free)))
	}
	if a.promised == nil {
		a.promised = map[string]int64{}
	}
	a.promised[id] = memory
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.promised, id)
	}, nil
}

// Holds reports whether an instance has a claim on the node's memory: it runs,
// or it is to.
func Holds(i *api.Instance) bool {
	return i.Desired.State != api.DesiredStopped && i.Status.Phase != api.PhaseStopped && i.Status.Phase != api.PhaseFailed ||
		!i.Status.Phase.Ended()
}
