package node

import (
	"context"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

func (a *Agent) disk(id string) string { return engine.Writable(a.instanceDir(id)) }

// flusher is an engine that lets go of a root some time after the life that
// had it.
type flusher interface {
	// Flush returns when it has let go of all.
	Flush()
}

// releaseDisk gives back what a writable layer with a size stands on.
func (a *Agent) releaseDisk(id string) error {
	if _, err := a.Disks.Usage(a.disk(id)); err != nil {
		return nil // it has none
	}
	if f, ok := a.Engine.(flusher); ok {
		f.Flush()
	}
	return a.Disks.Release(a.disk(id))
}

// Disk is the use of an instance's writable layer; nil where it has no size,
// or none yet.
func (a *Agent) Disk(in *api.Instance) *api.DiskUsage {
	if in.Limits().Disk == 0 {
		return nil
	}
	u, err := a.Disks.Usage(a.disk(in.ID))
	if err != nil {
		return nil
	}
	return &u
}

// ResizeDisk changes the size of an instance's writable layer, also while it
// runs. One that was never started has none yet.
func (a *Agent) ResizeDisk(ctx context.Context, id string, size int64) error {
	in, err := a.instance(id)
	if err != nil {
		return err
	}
	if _, err := os.Stat(a.disk(id)); os.IsNotExist(err) && in.Status.Starts == 0 {
		return nil
	}
	if size == 0 {
		return api.Errorf(api.CodeConflict, "disk: the size of instance %s cannot be taken away", in.Name).InField("disk").
			WithHint("make it larger instead")
	}
	if in.Limits().Disk == 0 {
		return api.Errorf(api.CodeConflict, "disk: instance %s was made without a size", in.Name).InField("disk").
			WithHint("make it anew: virga run --disk SIZE")
	}
	if in.Status.Phase.Ended() {
		if f, ok := a.Engine.(flusher); ok {
			f.Flush() // else its last life still counts as a user
		}
	}
	return a.Disks.Grow(ctx, a.disk(id), size)
}
