package cli

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// borrow adds what the instances of --volumes-from have mounted, their anonymous
// volumes too. What the spec mounts at the same place goes before.
func (m *storageFlags) borrow(ctx context.Context, a *App, s *api.InstanceSpec) error {
	for _, text := range m.from {
		name, mode, _ := strings.Cut(text, ":")
		if mode != "" && mode != "ro" && mode != "rw" {
			return api.Invalid(mountsField, "--volumes-from %s: option %q is not known", text, mode).WithHint("write it INSTANCE[:ro]")
		}
		other, err := a.api().Instance(ctx, name)
		if err != nil {
			return err
		}
		mounts := slices.Clone(other.Spec.Mounts)
		if image, err := a.api().Image(ctx, first(other.Status.Image, other.Spec.Image)); err == nil {
			for _, target := range image.Config.Volumes {
				mounts = append(mounts, api.Mount{Type: api.MountVolume, Target: target})
			}
		}
		for _, b := range mounts {
			if b.Type == api.MountTmpfs || slices.ContainsFunc(s.Mounts, func(x api.Mount) bool { return path.Clean(x.Target) == path.Clean(b.Target) }) {
				continue // memory is nobody else's
			}
			if b.Type == api.MountVolume && b.Source == "" {
				b.Source = api.AnonymousVolume(other.ID, b.Target)
			}
			b.ReadOnly = b.ReadOnly || mode == "ro"
			s.Mounts = append(s.Mounts, b)
		}
	}
	return nil
}
