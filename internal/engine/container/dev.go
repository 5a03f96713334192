package container

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// dev makes the instance's /dev.
func (e *Engine) dev(_ context.Context, t engine.Task, _ *view, p *prepared) error {
	var nodes []mount.Node
	if t.Spec.Security.Privileged {
		nodes = mount.HostNodes()
	}
	passed, err := passedDevices(t.Spec.Security.Devices)
	if err != nil {
		return err
	}
	for _, d := range passed {
		nodes = append(nodes, d.node)
	}
	f, err := mount.Dev(t.Sandbox.IDs, t.TTY, nodes)
	if err != nil {
		return err
	}
	p.keep(f)
	p.Start.Dev = f
	return nil
}

// passed is a device of the host that an instance gets.
type passed struct {
	node   mount.Node
	access string
}

func passedDevices(devices []api.Device) ([]passed, error) {
	var all []passed
	for i, d := range devices {
		field := fmt.Sprintf("spec.security.devices[%d]", i)
		access := d.Access
		if access == "" {
			access = "rwm"
		}
		if strings.Trim(access, "rwm") != "" {
			return nil, api.Invalid(field+".access", "device access %q: want letters of r, w and m", access)
		}
		target := path.Clean(d.Target)
		if d.Target == "" {
			target = path.Clean(d.Path)
		}
		if !strings.HasPrefix(target, "/dev/") {
			return nil, api.Invalid(field+".target", "device target %q is not below /dev", target).WithHint("name a target such as /dev/%s", path.Base(target))
		}
		nodes, err := hostNodes(d.Path, target)
		if err != nil {
			return nil, api.Invalid(field+".path", "device %s: %v", d.Path, rootCause(err)).WithHint("ls -l %s on the node", d.Path)
		}
		for _, n := range nodes {
			all = append(all, passed{n, access})
		}
	}
	return all, nil
}

// hostNodes reads a device, or all of a directory's.
func hostNodes(from, to string) ([]mount.Node, error) {
	st, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		n, err := mount.HostNode(from, to)
		return []mount.Node{n}, err
	}
	var nodes []mount.Node
	err = filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeDevice == 0 {
			return err
		}
		n, err := mount.HostNode(p, to+strings.TrimPrefix(p, from))
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}

// limits are what the instance's cgroup holds it to.
func (e *Engine) limits(t engine.Task) (cgroup.Limits, error) {
	l := cgroup.Limits{Resources: t.Spec.Resources, AllDevices: t.Spec.Security.Privileged}
	devices, err := passedDevices(t.Spec.Security.Devices)
	if err != nil {
		return l, err
	}
	for _, d := range devices {
		l.Devices = append(l.Devices, cgroup.DeviceOf(d.node.Mode, d.node.Dev, d.access))
	}
	l.Devices = slices.Compact(l.Devices)
	l.Disk, err = e.disk(t.Spec.Resources)
	return l, err
}

// disk is the device that block I/O limits are about, where there are any.
func (e *Engine) disk(r api.Resources) (string, error) {
	if r.BlockIO == (api.BlockIO{}) {
		return "", nil
	}
	disk, err := cgroup.DiskOf(e.Instances)
	if err == nil && disk == "" {
		return "", api.Errorf(api.CodeNotSupported, "block I/O cannot be limited: %s is not on a disk", e.Instances).InField("spec.resources.blockIO")
	}
	return disk, err
}
