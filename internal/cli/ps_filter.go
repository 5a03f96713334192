package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// instanceTest makes the test of one filter of ps.
func instanceTest(key, value string) (func(api.Instance) bool, error) {
	switch key {
	case "name":
		return func(i api.Instance) bool { return named(i.Name, value) }, nil
	case "id":
		return func(i api.Instance) bool { return strings.HasPrefix(i.ID, value) }, nil
	case "status":
		if value == "exited" { // Docker's word
			value = string(api.PhaseStopped)
		}
		return func(i api.Instance) bool { return string(i.Status.Phase) == value }, nil
	case "image", "ancestor":
		return func(i api.Instance) bool { return ofImage(i, value) }, nil
	case "publish":
		port, protocol, _ := strings.Cut(value, "/")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, api.Invalid("filter", "filter publish=%q: want PORT[/PROTOCOL]", value)
		}
		return func(i api.Instance) bool {
			return slices.ContainsFunc(append(slices.Clone(i.Status.Ports), i.Spec.Ports...), func(p api.Port) bool {
				return (p.Port == uint16(n) || p.HostPort == uint16(n)) && (protocol == "" || first(p.Protocol, "tcp") == protocol)
			})
		}, nil
	case "health":
		return func(i api.Instance) bool {
			if i.Status.Health == nil {
				return value == "none"
			}
			return i.Status.Health.State == value
		}, nil
	case "exited":
		code, err := strconv.Atoi(value)
		if err != nil {
			return nil, api.Invalid("filter", "filter exited=%q: want an exit code", value)
		}
		return func(i api.Instance) bool { return i.Status.ExitCode != nil && *i.Status.ExitCode == code }, nil
	case "network":
		return func(i api.Instance) bool {
			return slices.ContainsFunc(i.Status.Addresses, func(a api.AddressOn) bool { return a.Network == value }) ||
				slices.ContainsFunc(i.Spec.Networks, func(a api.Attachment) bool { return a.Network == value })
		}, nil
	case "volume":
		return func(i api.Instance) bool {
			return slices.Contains(i.Status.Volumes, value) || slices.ContainsFunc(i.Spec.Mounts, func(m api.Mount) bool {
				return m.Source == value || m.Target == value
			})
		}, nil
	case "group":
		return func(i api.Instance) bool { return i.Group == value }, nil
	case "isolation":
		return func(i api.Instance) bool { return isolationOf(i) == value }, nil
	}
	return nil, api.Invalid("filter", "filter %q is not known", key).WithHint("`virga ps --help` lists the filters")
}

// named reports whether a name has a part, at its beginning after ^ and at its
// end before $. That is what people write of Docker's regular expressions; the
// package for all of them would cost every command time at its start.
func named(name, part string) bool {
	part, begins := strings.CutPrefix(part, "^")
	part, ends := strings.CutSuffix(part, "$")
	part = strings.TrimPrefix(part, "/") // Docker's names begin with one
	switch {
	case begins && ends:
		return name == part
	case begins:
		return strings.HasPrefix(name, part)
	case ends:
		return strings.HasSuffix(name, part)
	}
	return strings.Contains(name, part)
}

// isID reports whether s looks like the beginning of an image's id.
func isID(s string) bool {
	s = strings.TrimPrefix(s, "sha256:")
	return len(s) >= 6 && strings.Trim(s, "0123456789abcdef") == ""
}

// ofImage reports whether an instance is of the image with the name or id.
// Names without a tag are of the tag latest, and of any other as Docker has it.
func ofImage(i api.Instance, want string) bool {
	repository, tag := splitName(i.Spec.Image)
	wanted, wantedTag := splitName(want)
	if repository == wanted && (wantedTag == "" || wantedTag == first(tag, "latest")) {
		return true
	}
	return isID(want) && strings.HasPrefix(strings.TrimPrefix(i.Status.Image, "sha256:"), strings.TrimPrefix(want, "sha256:"))
}
