package container

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/proc"
)

// Stats implements node.Engine.
func (e *Engine) Stats(_ context.Context, instance string) (api.Stats, error) {
	if _, err := e.of(instance); err != nil {
		return api.Stats{}, err
	}
	return e.cgroups.Group(instance).Stats()
}

// Processes implements node.Engine.
func (e *Engine) Processes(_ context.Context, instance string) ([]api.Process, error) {
	l, err := e.of(instance)
	if err != nil {
		return nil, err
	}
	pids, err := e.cgroups.Group(instance).Pids()
	if err != nil {
		return nil, err
	}
	ids, _ := proc.FirstID(l.pid)
	var all []api.Process
	for _, pid := range pids {
		if p, err := proc.Read(pid, ids); err == nil { // else it has ended
			all = append(all, p)
		}
	}
	return all, nil
}
