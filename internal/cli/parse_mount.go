package cli

import (
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

const mountsField = "spec.mounts"

// parseVolume reads Docker's -v: TARGET, or SOURCE:TARGET[:OPTIONS]. A source
// with a slash is a path of the host, relative to dir; otherwise a volume.
func parseVolume(s, dir string) (api.Mount, error) {
	bad := func(why string) (api.Mount, error) {
		return api.Mount{}, api.Invalid(mountsField, "volume %q: %s", s, why).
			WithHint("volumes are written SOURCE:TARGET[:ro], such as data:/var/lib/data or /srv/www:/www:ro")
	}
	part := strings.Split(s, ":")
	if len(part) > 3 {
		return bad("too many colons")
	}
	m := api.Mount{Type: api.MountVolume, Target: part[len(part)-1]}
	if len(part) > 1 {
		m.Source, m.Target = part[0], part[1]
		if m.Source == "" {
			return bad("the source is empty")
		}
	}
	if !path.IsAbs(m.Target) || path.Clean(m.Target) == "/" {
		return bad("the target must be an absolute path other than /")
	}
	m.Target = path.Clean(m.Target)
	if strings.ContainsRune(m.Source, '/') || m.Source == "." || m.Source == ".." {
		m.Type, m.Create = api.MountBind, true
		m.Source = absolute(m.Source, dir)
	}
	if len(part) == 3 {
		for o := range strings.SplitSeq(part[2], ",") {
			switch o {
			case "ro":
				m.ReadOnly = true
			case "nocopy":
				m.NoCopy = true
			case "rw", "", "z", "Z", "cached", "consistent", "delegated", "rprivate", "private":
			default:
				return bad("option " + strconv.Quote(o) + " is not known")
			}
		}
	}
	return m, nil
}

func absolute(p, dir string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

// parseMount reads Docker's --mount: comma-separated keys and values.
func parseMount(s, dir string) (api.Mount, error) {
	bad := func(why string) (api.Mount, error) {
		return api.Mount{}, api.Invalid(mountsField, "mount %q: %s", s, why).
			WithHint("mounts are written type=bind|volume|tmpfs,source=…,target=…[,readonly]")
	}
	m := api.Mount{Type: api.MountVolume}
	for kv := range strings.SplitSeq(s, ",") {
		key, value, valued := strings.Cut(strings.TrimSpace(kv), "=")
		on := true
		if valued && isSwitch(key) {
			var err error
			if on, err = strconv.ParseBool(value); err != nil {
				return bad(key + " is neither true nor false")
			}
		}
		switch strings.ToLower(key) {
		case "type":
			m.Type = api.MountType(value)
		case "source", "src":
			m.Source = value
		case "target", "dst", "destination":
			m.Target = value
		case "readonly", "ro":
			m.ReadOnly = on
		case "volume-nocopy":
			m.NoCopy = on
		case "claim":
			m.Claim = on
		case "bind-create-src":
			m.Create = on
		case "tmpfs-size":
			n, err := api.ParseBytes(value)
			if err != nil {
				return bad(err.Error())
			}
			m.Size = n
		case "tmpfs-mode":
			n, err := strconv.ParseUint(value, 8, 12)
			if err != nil {
				return bad("tmpfs-mode is not an octal number up to 7777")
			}
			m.Mode = uint32(n)
		case "consistency":
		case "bind-propagation":
			if value != "private" && value != "rprivate" {
				return bad("mounts that are made later are not passed on: bind-propagation can only be rprivate")
			}
		case "volume-driver":
			if value != "local" {
				return bad("there are no drivers of volumes but local")
			}
		case "volume-opt", "volume-label":
			return bad(key + " describes a volume, not a mount: make it first with `virga volume create`")
		default:
			return bad("key " + strconv.Quote(key) + " is not known")
		}
	}
	switch {
	case m.Type != api.MountBind && m.Type != api.MountVolume && m.Type != api.MountTmpfs:
		return bad("type is not bind, volume or tmpfs")
	case !path.IsAbs(m.Target) || path.Clean(m.Target) == "/":
		return bad("the target must be an absolute path other than /")
	case m.Type == api.MountBind && m.Source == "":
		return bad("a bind needs a source")
	case m.Type == api.MountTmpfs && m.Source != "":
		return bad("a tmpfs has no source")
	}
	m.Target = path.Clean(m.Target)
	if m.Type == api.MountBind {
		m.Source = absolute(m.Source, dir)
	}
	return m, nil
}

func isSwitch(key string) bool {
	switch strings.ToLower(key) {
	case "readonly", "ro", "volume-nocopy", "bind-create-src", "claim":
		return true
	}
	return false
}

// parseTmpfs reads Docker's --tmpfs: TARGET[:size=…,mode=…,uid=…,gid=…,ro,exec].
func parseTmpfs(s string) (api.Mount, error) {
	bad := func(why string) (api.Mount, error) {
		return api.Mount{}, api.Invalid(mountsField, "tmpfs %q: %s", s, why).
			WithHint("a tmpfs is written TARGET[:size=64m,mode=1777,uid=0,gid=0,ro,exec]")
	}
	target, options, _ := strings.Cut(s, ":")
	if !path.IsAbs(target) || path.Clean(target) == "/" {
		return bad("the target must be an absolute path other than /")
	}
	m := api.Mount{Type: api.MountTmpfs, Target: path.Clean(target)}
	for o := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "uid", "gid":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return bad(key + " is not a number")
			}
			if key == "uid" {
				m.UID = uint32(n)
			} else {
				m.GID = uint32(n)
			}
		case "size":
			n, err := api.ParseBytes(value)
			if err != nil {
				return bad(err.Error())
			}
			m.Size = n
		case "mode":
			n, err := strconv.ParseUint(value, 8, 12)
			if err != nil {
				return bad("mode is not an octal number up to 7777")
			}
			m.Mode = uint32(n)
		case "ro":
			m.ReadOnly = true
		case "exec":
			m.Exec = true
		case "noexec":
			m.Exec = false
		case "suid", "dev":
			return bad("a tmpfs holds neither set-user-id programs nor devices")
		case "", "rw", "nosuid", "nodev", "noatime", "relatime": // as it is anyway, or makes no difference
		default:
			return bad("option " + strconv.Quote(key) + " is not known")
		}
	}
	return m, nil
}
