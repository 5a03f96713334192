package container

import (
	"context"
	"errors"
	"slices"

	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// etc puts the files in /etc that say who and where the instance is. They lie
// in the file system of its /dev, so that each life has fresh ones and the disk
// none.
func (e *Engine) etc(_ context.Context, t engine.Task, v *view, p *prepared) error {
	for _, f := range []struct {
		name     string
		contents []byte
	}{
		{"hosts", t.Hosts}, {"hostname", []byte(t.Hostname + "\n")}, {"resolv.conf", t.Resolv},
	} {
		target := "/etc/" + f.name
		if f.contents == nil || slices.ContainsFunc(t.Mounts, func(m engine.Mount) bool { return isBelow(target, m.Target) }) {
			continue // the user's mount is the one that counts
		}
		at, err := v.place(target, file)
		if errors.Is(err, errKind) {
			p.warn("%s is not a file in the image and stays as it is", target)
			continue
		}
		if err != nil {
			return err
		}
		// The name stays: a file without one could not be bind-mounted on.
		name := mount.DevOwn + "/" + f.name
		if err := mount.FileIn(p.Start.Dev, name, t.Sandbox.IDs, f.contents); err != nil {
			return err
		}
		p.Start.Mounts = append(p.Start.Mounts, confine.Mount{InDev: name, Target: at.path, Make: at.make, File: true})
	}
	return nil
}
