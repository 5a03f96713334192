package container

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/shim"
)

// Kinds of resources that the engine has.
const (
	kindCgroup  = "cgroup"
	kindProcess = "process"
)

// Resources implements node.Inventory: cgroups and processes by instance. The
// directories of instances are the node's.
func (e *Engine) Resources(ctx context.Context) ([]api.Resource, error) {
	ids, err := e.cgroups.List()
	if err != nil {
		return nil, err
	}
	var all []api.Resource
	for _, id := range ids {
		all = append(all, api.Resource{Kind: kindCgroup, Name: e.Cgroup + "/" + id, Owner: id})
	}
	procs, err := e.supervisor().List(ctx)
	for _, p := range procs {
		instance, _, _ := strings.Cut(p.ID, "/")
		all = append(all, api.Resource{Kind: kindProcess, Name: p.ID, Owner: instance})
	}
	return all, err
}

// Collect implements node.Inventory.
func (e *Engine) Collect(ctx context.Context, r api.Resource) error {
	switch r.Kind {
	case kindCgroup:
		id, ok := strings.CutPrefix(r.Name, e.Cgroup+"/")
		if !ok || strings.Contains(id, "/") {
			return api.Errorf(api.CodeInvalid, "%s is not a cgroup of this node's", r.Name)
		}
		if err := e.cgroups.Group(id).Kill(ctx); err != nil {
			return err
		}
		return e.deleteGroup(ctx, id)
	case kindProcess:
		return e.collectProcess(ctx, r.Name)
	}
	return api.Errorf(api.CodeInvalid, "%s %s is not the engine's", r.Kind, r.Name)
}

// collectProcess kills a process that nobody owns, and forgets it when it has
// ended.
func (e *Engine) collectProcess(ctx context.Context, id string) error {
	const sigkill = 9
	if err := e.supervisor().Signal(ctx, id, sigkill); err != nil && !gone(err) {
		return err
	}
	for {
		err := e.supervisor().Forget(ctx, id)
		if err == nil || !errors.Is(err, shim.ErrRunning) {
			return ignoreGone(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func gone(err error) bool { return errors.Is(err, shim.ErrNotFound) }

func ignoreGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
