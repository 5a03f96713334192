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
		return func(i api.Instance) bool { return strings.Contains(i.Name, value) }, nil
	case "id":
		return func(i api.Instance) bool { return strings.HasPrefix(i.ID, value) }, nil
	case "status":
		if value == "exited" { // Docker's word
			value = string(api.PhaseStopped)
		}
		return func(i api.Instance) bool { return string(i.Status.Phase) == value }, nil
	case "image", "ancestor":
		return func(i api.Instance) bool {
			name, _, _ := strings.Cut(i.Spec.Image, ":")
			return i.Spec.Image == value || name == value
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
