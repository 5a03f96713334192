package container

import (
	"context"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// initPath is where the init is seen in the instance: in /dev, which is ours
// in every image.
const initPath = "/dev/init"

// asInit puts the supervisor's binary in the instance as its first process,
// which reaps and forwards signals, when the spec asks for it.
func (e *Engine) asInit(_ context.Context, t engine.Task, _ *view, p *prepared) error {
	if !t.Spec.Init {
		return nil
	}
	if e.Init == "" {
		return api.Errorf(api.CodeNotSupported, "this node has no init to run in an instance").InField("spec.init")
	}
	f, err := mount.Clone(e.Init, false)
	if err != nil {
		return err
	}
	p.keep(f)
	if err := mount.SetAttr(f, mount.ReadOnly|mount.NoSuid|mount.NoDev, false); err != nil {
		return err
	}
	p.Start.Mounts = append(p.Start.Mounts, confine.Mount{Source: f, Target: initPath, Make: []string{initPath}, File: true})
	p.Argv = append([]string{initPath, "init", "--"}, p.Argv...)
	return nil
}
