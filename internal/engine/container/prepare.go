package container

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// prepare makes everything of a life but its cgroup. The caller closes it,
// also after an error.
func (e *Engine) prepare(ctx context.Context, t engine.Task, laps *engine.Laps) (*prepared, error) {
	p := &prepared{Process: confine.Process{
		UserNS: t.Sandbox.UserNS, NetNS: t.Sandbox.NetNS, IDs: t.Sandbox.IDs,
		TTY: t.TTY, Stdin: t.Stdin, Argv: t.Args, Env: t.Env,
		Start: &confine.Start{Hostname: t.Hostname, ReadOnly: t.Spec.ReadOnly, ShmSize: t.Spec.ShmSize},
	}}
	const defaultShm = 64 << 20
	if p.Start.ShmSize == 0 {
		p.Start.ShmSize = defaultShm
	}
	root, err := e.mountRoot(t)
	if err != nil {
		return p, err
	}
	p.keep(root)
	p.Start.Root = root
	laps.Lap("root")
	v := &view{Root: mount.Root{Dir: root}, covered: []string{"/dev", "/proc", "/sys"}}

	for _, step := range []func(context.Context, engine.Task, *view, *prepared) error{
		e.dev, e.share, e.etc, e.mounts, e.asInit, e.user, e.security, e.command,
	} {
		if err := step(ctx, t, v, p); err != nil {
			return p, err
		}
	}
	laps.Lap("confine")
	return p, nil
}

// mountRoot makes the instance's root. Nothing in it is ever chowned: files
// are stored with the ids that the instance sees.
func (e *Engine) mountRoot(t engine.Task) (*os.File, error) {
	o := mount.Overlay{
		Layers: e.layers(t.Layers), Writable: engine.Writable(t.Dir), UserNS: t.Sandbox.UserNS, IDs: t.Sandbox.IDs,
		Volatile: t.Spec.AutoRemove, Release: e.closer.put,
	}
	if t.Spec.Resources.Disk == 0 || mount.Same(o.Writable, e.Instances) {
		o.Under = e.under(o.Layers)
	}
	if t.Life > 1 {
		e.closer.flush() // the last life's root has the same writable layer
		if o.Volatile {
			if err := o.Reset(); err != nil {
				return nil, err
			}
		}
	}
	if err := os.MkdirAll(o.Writable, 0o711); err != nil {
		return nil, err
	}
	root, err := o.Mount()
	if err != nil {
		return nil, fmt.Errorf("mount root of %s: %w", t.Instance, err)
	}
	return root, nil
}

// view is the root as it is before anything is mounted in it.
type view struct {
	mount.Root
	// covered are the paths that something is mounted on later, so that what
	// the root holds below them says nothing.
	covered []string
}

// cover returns the deepest covered path that p is below, or "".
func (v *view) cover(p string) string {
	deepest := ""
	for _, c := range v.covered {
		if (p == c || strings.HasPrefix(p, c+"/")) && len(c) > len(deepest) {
			deepest = c
		}
	}
	return deepest
}
