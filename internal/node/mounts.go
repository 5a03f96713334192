package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// mounts resolves the sources of an instance's mounts and of its image's
// volumes, makes the volumes that do not exist yet, and orders parents before
// children. It also returns the names of the volumes.
func (a *Agent) mounts(ctx context.Context, in *api.Instance, img api.ImageConfig) ([]engine.Mount, []string, error) {
	var out []engine.Mount
	var volumes []string
	for i, m := range withImageVolumes(in.Spec.Mounts, img.Volumes) {
		em := engine.Mount{Mount: m}
		switch m.Type {
		case api.MountBind:
			if err := bindSource(i, m); err != nil {
				return nil, nil, err
			}
			em.Host = m.Source
		case api.MountVolume:
			v, err := a.volume(ctx, in, m)
			if err != nil {
				return nil, nil, err
			}
			em.Host = v.Path
			em.Copy = !m.NoCopy && v.Access != api.AccessReadOnly && emptyDir(v.Path)
			volumes = append(volumes, v.Name)
		}
		out = append(out, em)
	}
	slices.SortStableFunc(out, func(x, y engine.Mount) int {
		return depth(x.Target) - depth(y.Target)
	})
	return out, volumes, nil
}

// withImageVolumes adds an anonymous volume for each of the image's that no
// mount covers.
func withImageVolumes(mounts []api.Mount, volumes []string) []api.Mount {
	out := slices.Clone(mounts)
	for _, v := range slices.Sorted(slices.Values(volumes)) {
		if !slices.ContainsFunc(mounts, func(m api.Mount) bool { return path.Clean(m.Target) == path.Clean(v) }) {
			out = append(out, api.Mount{Type: api.MountVolume, Target: v})
		}
	}
	return out
}

func depth(target string) int { return strings.Count(path.Clean(target), "/") }

func bindSource(i int, m api.Mount) error {
	_, err := os.Stat(m.Source)
	if err == nil {
		return nil
	}
	field := fmt.Sprintf("spec.mounts[%d].source", i)
	if !os.IsNotExist(err) {
		return api.Invalid(field, "bind source %s: %v", m.Source, err)
	}
	if !m.Create {
		return api.Invalid(field, "bind source %s does not exist", m.Source).WithHint("make it first, or use -v, which makes a directory")
	}
	if err := os.MkdirAll(m.Source, 0o755); err != nil {
		return api.Invalid(field, "make bind source %s: %v", m.Source, err)
	}
	return nil
}

func emptyDir(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) == 0
}

// volume finds a mount's volume or makes it: first the object, which owns the
// directory, then the directory.
func (a *Agent) volume(ctx context.Context, in *api.Instance, m api.Mount) (api.Volume, error) {
	name := m.Source
	if name == "" {
		name = api.AnonymousVolume(in.ID, m.Target)
	}
	v, err := a.Store.Volumes.ByName(in.Project, name)
	if api.CodeOf(err) == api.CodeNotFound {
		id := newID()
		v = api.Volume{
			Meta:      api.Meta{ID: id, Name: name, Project: in.Project, Created: time.Now()},
			Node:      a.Name,
			Anonymous: m.Source == "",
			Path:      a.Volumes.Path(id),
		}
		err = a.Store.Volumes.Create(ctx, &v)
		if api.CodeOf(err) == api.CodeConflict { // another instance made it meanwhile
			v, err = a.Store.Volumes.ByName(in.Project, name)
		}
	}
	if err != nil {
		return v, err
	}
	v.Path = a.Volumes.Path(v.ID)
	return v, a.Volumes.Create(ctx, v.ID, v.Size)
}

// hold takes the volumes of an instance for its next life, or says who has one
// that it cannot share.
func (a *Agent) hold(in *api.Instance) error {
	for i, m := range in.Spec.Mounts {
		if m.Type != api.MountVolume || m.Source == "" {
			continue // nobody else's
		}
		v, err := a.Store.Volumes.ByName(in.Project, m.Source)
		if err == nil {
			err = a.Volumes.Hold(&v, in.ID, in.Name, !m.ReadOnly)
		}
		if e, ok := errors.AsType[*api.Error](err); ok {
			return e.InField(fmt.Sprintf("spec.mounts[%d].source", i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeVolumes deletes the volumes that were made for the instance alone. An
// object goes before its directory: what a crash leaves is stale and collected.
func (a *Agent) removeVolumes(ctx context.Context, in *api.Instance) error {
	for _, name := range in.Status.Volumes {
		if !strings.HasPrefix(name, in.ID+"-") {
			continue
		}
		v, err := a.Store.Volumes.ByName(in.Project, name)
		if api.CodeOf(err) == api.CodeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if err := a.Store.Volumes.Delete(ctx, v.ID); err != nil {
			return err
		}
		if _, err := a.Volumes.Remove(ctx, v.ID); err != nil {
			return err
		}
	}
	return nil
}
