package cli

import (
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// parseSecurity applies one --security-opt to s. read returns the contents of
// a seccomp profile. What virga does not need is told as a warning.
func parseSecurity(s *api.Security, opt string, read func(path string) (string, error)) (warning string, err error) {
	i := strings.IndexAny(opt, "=:")
	key, value := opt, ""
	if i >= 0 {
		key, value = opt[:i], opt[i+1:]
	}
	switch key {
	case "no-new-privileges":
		on := true
		if value != "" {
			if on, err = strconv.ParseBool(value); err != nil {
				return "", api.Invalid("spec.security.newPrivileges", "--security-opt %s: want true or false", opt)
			}
		}
		s.NewPrivileges = !on
		return "", nil
	case "seccomp":
		switch value {
		case "", "builtin", "default":
			s.Seccomp = "default"
		case "unconfined":
			s.Seccomp = value
		default:
			s.Seccomp, err = read(value)
		}
		return "", err
	case "systempaths":
		if value == "unconfined" {
			s.SystemPathsOpen = true
			return "", nil
		}
	case "apparmor", "label":
		return "--security-opt " + opt + " is ignored: virga confines with namespaces, seccomp and capabilities", nil
	}
	return "", api.Invalid("spec.security", "--security-opt %s is not known", opt).
		WithHint("use seccomp=unconfined|PROFILE.json, no-new-privileges[=true|false] or systempaths=unconfined")
}
