package compose

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

func (t *translation) volumes() error {
	taken := names{}
	for _, key := range slices.Sorted(maps.Keys(t.p.Volumes)) {
		v := t.p.Volumes[key]
		if !t.volumeUsed(key) {
			continue
		}
		if v.External {
			t.plan.ExternalVolumes = append(t.plan.ExternalVolumes, v.Name)
			continue
		}
		if v.Driver != "" && v.Driver != "local" {
			t.warn("volumes."+key+".driver", "%q is not honoured: the volume is local", v.Driver)
		}
		r := api.VolumeRequest{Name: name(v.Name), Labels: map[string]string{}}
		maps.Copy(r.Labels, v.Labels)
		r.Labels[LabelProject] = t.p.Name
		r.Access = api.Access(v.DriverOpts["access"])
		var err error
		if r.Size, err = api.ParseSize("volumes."+key+".driver_opts.size", v.DriverOpts["size"]); err != nil {
			return err
		}
		if err := taken.take(r.Name, "volume "+key); err != nil {
			return err
		}
		t.plan.Volumes = append(t.plan.Volumes, r)
	}
	return nil
}

func (t *translation) volumeUsed(key string) bool {
	for _, s := range t.p.Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeVolume && v.Source == key {
				return true
			}
		}
	}
	return false
}

func (t *translation) mounts(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	field := "services." + s.Name
	for _, v := range s.Volumes {
		m := api.Mount{Target: v.Target, ReadOnly: v.ReadOnly}
		switch v.Type {
		case types.VolumeTypeBind:
			m.Type, m.Source = api.MountBind, v.Source
			m.Create = v.Bind == nil || bool(v.Bind.CreateHostPath)
		case types.VolumeTypeVolume:
			m.Type = api.MountVolume
			if v.Source != "" {
				m.Source = t.volumeName(v.Source)
			}
			m.NoCopy = v.Volume != nil && v.Volume.NoCopy
		case types.VolumeTypeTmpfs:
			m.Type = api.MountTmpfs
			if v.Tmpfs != nil {
				m.Size, m.Mode = int64(v.Tmpfs.Size), v.Tmpfs.Mode
			}
		default:
			return api.Errorf(api.CodeNotSupported, "service %s: a volume of the type %s is not supported", s.Name, v.Type).
				InField(field + ".volumes").WithHint("use bind, volume or tmpfs")
		}
		spec.Mounts = append(spec.Mounts, m)
	}
	for _, text := range s.Tmpfs {
		target, options, _ := strings.Cut(text, ":")
		m := api.Mount{Type: api.MountTmpfs, Target: target}
		for o := range strings.SplitSeq(options, ",") {
			if o != "" && !tmpfsOption(&m, o) {
				t.warn(field+".tmpfs", "option %q is not honoured", o)
			}
		}
		spec.Mounts = append(spec.Mounts, m)
	}
	return nil
}

func tmpfsOption(m *api.Mount, o string) bool {
	key, value, _ := strings.Cut(o, "=")
	var err error
	switch key {
	case "size":
		m.Size, err = api.ParseBytes(value)
	case "mode":
		var n uint64
		n, err = strconv.ParseUint(value, 8, 12)
		m.Mode = uint32(n)
	case "uid":
		m.UID, err = id(value)
	case "gid":
		m.GID, err = id(value)
	case "ro":
		m.ReadOnly = true
	case "exec":
		m.Exec = true
	case "rw", "nosuid", "nodev", "noexec": // as they are anyway
	default:
		return false
	}
	return err == nil
}

func id(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

func (t *translation) volumeName(key string) string {
	v, ok := t.p.Volumes[key]
	switch {
	case !ok:
		return name(t.p.Name, key)
	case bool(v.External):
		return v.Name
	}
	return name(v.Name)
}
