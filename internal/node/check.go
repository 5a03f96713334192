package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// housekeeping is how often stale resources are looked for.
const housekeeping = time.Minute

// nodeOwner owns what the daemon itself needs.
const nodeOwner = "node"

// housekeep collects what is stale, now and every minute.
func (a *Agent) housekeep(ctx context.Context) {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for {
		r, err := a.Check(ctx, true)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.Log.Error("look for stale resources", "error", err)
		case r.Stale > 0:
			a.Log.Warn("collected stale resources", "stale", r.Stale, "repaired", r.Repaired)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *Agent) inventories() []Inventory {
	return []Inventory{a.Engine, a.Network, a.Disks, directories{a}, a.Volumes, a.Images}
}

// Check lists what exists on the node and who owns it; with repair it gives
// back what has no owner. The list is read before the owners, which are stored,
// or worked on until they are, before anything is made for them: what is new is
// never taken for stale.
func (a *Agent) Check(ctx context.Context, repair bool) (api.CheckReport, error) {
	report := api.CheckReport{Resources: []api.Resource{}}
	var errs []error
	type found struct {
		from Inventory
		all  []api.Resource
	}
	var lists []found
	for _, inv := range a.inventories() {
		all, err := inv.Resources(ctx)
		errs = append(errs, err)
		lists = append(lists, found{inv, all})
	}
	if repair {
		errs = append(errs, a.dropOrphans(ctx))
	}
	owners := a.owners()
	for _, l := range lists {
		for _, r := range l.all {
			r.Stale = r.Stale || !owners[r.Owner]
			if r.Stale {
				report.Stale++
			}
			if r.Stale && repair {
				if err := l.from.Collect(ctx, r); err != nil {
					r.Error = err.Error()
				} else {
					report.Repaired++
				}
			}
			report.Resources = append(report.Resources, r)
		}
	}
	return report, errors.Join(errs...)
}

// owners are the ids that something on the node may belong to. An instance
// that a worker works on counts although its object may be gone, or may not be
// stored yet.
func (a *Agent) owners() map[string]bool {
	owners := map[string]bool{nodeOwner: true}
	// Both under the lock: no worker begins or ends in between, so an instance
	// whose object comes or goes just now is seen by one of them.
	a.mu.Lock()
	for id, w := range a.workers {
		if w.busy {
			owners[id] = true
		}
	}
	for _, in := range a.Store.Instances.Views() {
		owners[in.ID] = true
	}
	a.mu.Unlock()
	for _, v := range a.Store.Volumes.Views() {
		owners[v.ID] = true
	}
	for _, id := range a.Volumes.Working() {
		owners[id] = true
	}
	for _, n := range a.Store.Networks.Views() {
		owners[n.ID] = true
	}
	return owners
}

// dropOrphans deletes the anonymous volumes of instances that are gone: a crash
// may have come between the making of one and the status that names it.
func (a *Agent) dropOrphans(ctx context.Context) error {
	var errs []error
	for _, v := range a.Store.Volumes.Views() {
		instance, _, ok := strings.Cut(v.Name, "-")
		if !v.Anonymous || !ok || v.Node != a.Name {
			continue
		}
		if _, err := a.Store.Instances.View(instance); api.CodeOf(err) == api.CodeNotFound {
			errs = append(errs, a.Store.Volumes.Delete(ctx, v.ID))
		}
	}
	return errors.Join(errs...)
}

// directories is the inventory of the instances' directories.
type directories struct{ *Agent }

func (d directories) Resources(context.Context) ([]api.Resource, error) {
	var out []api.Resource
	entries, err := os.ReadDir(d.instancesDir())
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	for _, e := range entries {
		out = append(out, api.Resource{Kind: "directory", Name: d.instanceDir(e.Name()), Owner: e.Name()})
	}
	return out, nil
}

func (d directories) Collect(ctx context.Context, r api.Resource) error {
	dir, id := filepath.Split(r.Name)
	if filepath.Clean(dir) != d.instancesDir() {
		return api.Errorf(api.CodeInvalid, "%s is not the directory of an instance", r.Name)
	}
	if err := d.releaseDisk(id); err != nil {
		return err
	}
	if err := d.Engine.Remove(ctx, id); err != nil {
		return err
	}
	return os.RemoveAll(r.Name)
}
