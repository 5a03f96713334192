package controller

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

// Writes is all that the controller of groups writes. Between any two of them
// it may be killed.
type Writes interface {
	// Create makes an instance; an *api.Error says why it must not be.
	Create(ctx context.Context, c control.Creation) (*api.Instance, error)
	// Member changes an instance of a group.
	Member(ctx context.Context, id string, change func(*api.Instance) error) error
	// Apply does the same where that may take more of the node; an *api.Error
	// says why it must not.
	Apply(ctx context.Context, id string, change func(*api.Instance) error) error
	// Update changes a group and returns when that is on disk; Observe stores
	// the change soon.
	Update(ctx context.Context, id string, change func(*api.Group) error) error
	Observe(id string, change func(*api.Group)) error
	// Delete takes the object of a group away.
	Delete(ctx context.Context, id string) error
}

// StoreWrites writes to the store that instances are let into.
type StoreWrites struct{ *control.Admission }

var _ Writes = StoreWrites{}

func (w StoreWrites) Member(ctx context.Context, id string, change func(*api.Instance) error) error {
	_, err := w.Store.Instances.Update(ctx, id, change)
	return err
}

func (w StoreWrites) Apply(ctx context.Context, id string, change func(*api.Instance) error) error {
	_, err := w.Admission.Apply(ctx, id, change)
	return err
}

func (w StoreWrites) Update(ctx context.Context, id string, change func(*api.Group) error) error {
	_, err := w.Store.Groups.Update(ctx, id, change)
	return err
}

func (w StoreWrites) Observe(id string, change func(*api.Group)) error {
	return w.Store.Groups.Observe(id, change)
}

func (w StoreWrites) Delete(ctx context.Context, id string) error {
	return w.Store.Groups.Delete(ctx, id)
}
