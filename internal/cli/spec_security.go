package cli

import (
	"os"
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// securityFlags widen or narrow the default confinement.
type securityFlags struct {
	capAdd     []string
	capDrop    []string
	privileged bool
	options    []string
	userNS     string
	devices    []string
	sysctls    []string
}

func (s *securityFlags) register(f *pflag.FlagSet) {
	listVar(f, &s.capAdd, "cap-add", "", "add a `capability`, or ALL")
	listVar(f, &s.capDrop, "cap-drop", "", "drop a `capability`, or ALL")
	f.BoolVar(&s.privileged, "privileged", false, "all capabilities and devices, no seccomp, no user namespace")
	listVar(f, &s.options, "security-opt", "", "seccomp=`PROFILE`|unconfined, no-new-privileges[=false], systempaths=unconfined")
	f.StringVar(&s.userNS, "userns", "", "user namespace: private or host")
	listVar(f, &s.devices, "device", "", "give it a device of the host (`PATH[:TARGET[:rwm]]`)")
	listVar(f, &s.sysctls, "sysctl", "", "set a namespaced sysctl (`KEY=VALUE`)")
}

func (s *securityFlags) apply(a *App, sec *api.Security) error {
	sec.CapAdd, sec.CapDrop, sec.Privileged, sec.UserNS = s.capAdd, s.capDrop, s.privileged, s.userNS
	for _, o := range s.options {
		warning, err := parseSecurity(sec, o, readProfile)
		if err != nil {
			return err
		}
		if warning != "" {
			a.warn("%s", warning)
		}
	}
	for _, text := range s.devices {
		d, err := parseDevice(text)
		if err != nil {
			return err
		}
		sec.Devices = append(sec.Devices, d)
	}
	for _, text := range s.sysctls {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return api.Invalid("spec.security.sysctls", "sysctl %q: want KEY=VALUE", text)
		}
		if sec.Sysctls == nil {
			sec.Sysctls = map[string]string{}
		}
		sec.Sysctls[key] = value
	}
	return nil
}

func readProfile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fileError("security-opt", path, err)
	}
	return string(b), nil
}
