package container

import (
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// cgroupView lets the instance see its own limits at the place where programs
// look for them.
func (e *Engine) cgroupView(p *prepared, g *cgroup.Group) error {
	const at = "/sys/fs/cgroup"
	if len(e.cgroups.V1) == 0 {
		attrs := uint64(mount.NoSuid | mount.NoDev | mount.NoExec)
		if !p.Start.Sys.Writable {
			attrs |= mount.ReadOnly
		}
		p.Start.Sys.Cgroups = []confine.Mount{{Type: "cgroup2", Attrs: attrs, Params: []confine.Param{{Key: "source", Value: "cgroup"}}, Target: at}}
		return nil
	}
	if p.Start.Sys.Host != nil {
		return nil
	}
	mounts := []confine.Mount{{Type: "tmpfs", Attrs: mount.NoSuid | mount.NoDev | mount.NoExec, Target: at,
		Params: []confine.Param{{Key: "source", Value: "tmpfs"}, {Key: "mode", Value: "0755"}, {Key: "size", Value: "64k"}}}}
	for _, c := range []string{"cpu", "memory", "pids"} {
		dir := g.Dir(c)
		if e.cgroups.V1[c] == "" {
			continue
		}
		f, err := mount.Clone(dir, false)
		if err != nil {
			return err
		}
		p.keep(f)
		attrs := uint64(mount.NoSuid | mount.NoDev | mount.NoExec)
		if !p.Start.Sys.Writable {
			attrs |= mount.ReadOnly
		}
		if err := mount.SetAttr(f, attrs, false); err != nil {
			return err
		}
		target := at + "/" + c
		mounts = append(mounts, confine.Mount{Source: f, Target: target, Make: []string{target}})
	}
	p.Start.Sys.Cgroups = mounts
	return nil
}
