package container

import (
	"context"
	"errors"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/shim"
)

// Signal implements node.Engine.
func (e *Engine) Signal(ctx context.Context, instance, name string) error {
	l, err := e.of(instance)
	if err != nil {
		return err
	}
	n, err := parseSignal(name)
	if err != nil {
		return err
	}
	err = e.supervisor().Signal(ctx, processID(instance, l.number), syscall.Signal(n))
	if errors.Is(err, shim.ErrNotFound) {
		return notRunning(instance)
	}
	return err
}

// Kill implements node.Engine.
func (e *Engine) Kill(ctx context.Context, instance string) error {
	return e.cgroups.Group(instance).Kill(ctx)
}

// Pause implements node.Engine.
func (e *Engine) Pause(ctx context.Context, instance string) error {
	if _, err := e.of(instance); err != nil {
		return err
	}
	return e.cgroups.Group(instance).Freeze(ctx)
}

// Unpause implements node.Engine.
func (e *Engine) Unpause(ctx context.Context, instance string) error {
	if _, err := e.of(instance); err != nil {
		return err
	}
	return e.cgroups.Group(instance).Thaw(ctx)
}

// Update implements node.Engine.
func (e *Engine) Update(ctx context.Context, instance string, r api.Resources) error {
	if _, err := e.of(instance); err != nil {
		return err
	}
	disk, err := e.disk(r)
	if err != nil {
		return err
	}
	if disk == "" { // limits may have to be taken away
		if disk, err = cgroup.DiskOf(e.Instances); err != nil {
			return err
		}
	}
	warnings, err := e.cgroups.Group(instance).Update(cgroup.Limits{Resources: r, Disk: disk})
	for _, w := range warnings {
		e.Log.Warn("update limits", "instance", instance, "warning", w)
	}
	return err
}

// Attach implements node.Engine.
func (e *Engine) Attach(ctx context.Context, instance string, number int) (engine.Session, error) {
	s, err := e.supervisor().Attach(ctx, processID(instance, number))
	if errors.Is(err, shim.ErrNotFound) {
		return nil, notRunning(instance)
	}
	if err != nil {
		return nil, err
	}
	return &session{stream: s}, nil
}
