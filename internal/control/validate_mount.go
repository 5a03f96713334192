package control

import (
	"fmt"
	"path"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// maxID is the highest user and group of an instance.
const maxID = 65535

func validateMounts(s *api.InstanceSpec) error {
	if len(s.Mounts) > maxStrings {
		return api.Invalid("spec.mounts", "%d mounts are more than %d", len(s.Mounts), maxStrings)
	}
	if s.ShmSize < 0 {
		return api.Invalid("spec.shmSize", "shmSize %d is negative", s.ShmSize)
	}
	seen := map[string]bool{}
	for i, m := range s.Mounts {
		field := fmt.Sprintf("spec.mounts[%d]", i)
		if err := validateMount(field, m); err != nil {
			return err
		}
		target := path.Clean(m.Target)
		if seen[target] {
			return api.Invalid(field+".target", "%s is mounted twice", target)
		}
		seen[target] = true
	}
	return nil
}

func validateMount(field string, m api.Mount) error {
	if !absolute(m.Target) || path.Clean(m.Target) == "/" {
		return api.Invalid(field+".target", "mount target %q is not an absolute path below /", m.Target)
	}
	if m.Size < 0 {
		return api.Invalid(field+".size", "size %d is negative", m.Size)
	}
	if m.Mode > 0o7777 {
		return api.Invalid(field+".mode", "mode %#o is not made of permission bits", m.Mode)
	}
	if m.Claim {
		return api.Invalid(field+".claim", "only an instance of a stateful group has volumes of its own")
	}
	switch m.Type {
	case api.MountBind:
		if !absolute(m.Source) {
			return api.Invalid(field+".source", "bind source %q is not an absolute path", m.Source)
		}
	case api.MountVolume:
		if m.Source == "" {
			return nil
		}
		if strings.HasPrefix(m.Source, "/") {
			return api.Invalid(field+".source", "volume %q looks like a path", m.Source).WithHint("a path is a mount of the type bind")
		}
		return api.ValidateName(field+".source", m.Source)
	case api.MountTmpfs:
		if m.Source != "" {
			return api.Invalid(field+".source", "a tmpfs has no source")
		}
	default:
		return api.Invalid(field+".type", "unknown mount type %q", m.Type).WithHint("one of bind, volume, tmpfs")
	}
	if m.Type != api.MountTmpfs && (m.Size != 0 || m.Mode != 0 || m.UID != 0 || m.GID != 0 || m.Exec) {
		return api.Invalid(field, "size, mode, uid, gid and exec are for a tmpfs only")
	}
	if m.UID > maxID || m.GID > maxID {
		return api.Invalid(field, "uid %d, gid %d: an instance has the ids 0 to %d", m.UID, m.GID, maxID)
	}
	return nil
}
