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
	// Where the controllers are mounted is a directory of the instance's /dev.
	const places = mount.DevOwn + "/cgroup"
	if err := mount.DirIn(p.Start.Dev, places); err != nil {
		return err
	}
	mounts := []confine.Mount{{InDev: places, Target: at}}
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
		if err := mount.DirIn(p.Start.Dev, places+"/"+c); err != nil {
			return err
		}
		mounts = append(mounts, confine.Mount{Source: f, Target: at + "/" + c})
	}
	p.Start.Sys.Cgroups = mounts
	return nil
}
