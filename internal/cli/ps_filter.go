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
		switch value { // Docker's words
		case "exited", "dead":
			value = string(api.PhaseStopped)
		}
		if !slices.Contains(phases, api.Phase(value)) {
			return nil, api.Invalid("filter", "filter status=%q: there is no such state", value).
				WithHint("one of %s", join(phases))
		}
		return func(i api.Instance) bool { return string(i.Status.Phase) == value }, nil
	case "image", "ancestor":
		return func(i api.Instance) bool { return ofImage(i, value) }, nil
	case "publish":
		ports, protocol, err := portFilter(value)
		if err != nil {
			return nil, err
		}
		return func(i api.Instance) bool {
			return slices.ContainsFunc(append(slices.Clone(i.Status.Ports), i.Spec.Ports...), func(p api.Port) bool {
				return (ports.has(p.Port) || ports.has(p.HostPort)) && (protocol == "" || first(p.Protocol, "tcp") == protocol)
			})
		}, nil
	case "health":
		if !slices.Contains(healthStates, value) {
			return nil, api.Invalid("filter", "filter health=%q: there is no such state", value).
				WithHint("one of %s", strings.Join(healthStates, ", "))
		}
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

// phases are all that status= may be.
var phases = []api.Phase{
	api.PhasePending, api.PhaseCreated, api.PhaseStarting, api.PhaseRunning, api.PhasePaused, api.PhaseStopping,
	api.PhaseRestarting, api.PhaseStopped, api.PhaseFailed, api.PhaseRemoving,
}

var healthStates = []string{api.HealthStarting, api.HealthHealthy, api.HealthUnhealthy, "none"}

func join(list []api.Phase) string {
	var names []string
	for _, p := range list {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// portRange are ports from the first to the second.
type portRange [2]uint64

func (r portRange) has(port uint16) bool {
	return port != 0 && uint64(port) >= r[0] && uint64(port) <= r[1]
}

// portFilter reads PORT[-PORT][/PROTOCOL]; the protocol is "" when it is open.
func portFilter(value string) (r portRange, protocol string, err error) {
	text, protocol, _ := strings.Cut(value, "/")
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	var errs [2]error
	r[0], errs[0] = strconv.ParseUint(from, 10, 16)
	r[1], errs[1] = strconv.ParseUint(to, 10, 16)
	if errs[0] != nil || errs[1] != nil || r[0] == 0 || r[0] > r[1] {
		return r, "", api.Invalid("filter", "filter publish=%q: want PORT[-PORT][/PROTOCOL]", value)
	}
	return r, protocol, nil
}

// unlabelled makes the test of label!=, the opposite of what the daemon chooses by.
func unlabelled(value string) func(api.Instance) bool {
	return func(i api.Instance) bool { return !api.Labelled(i.Labels, value) }
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
