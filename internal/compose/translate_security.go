package compose

import (
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

func (t *translation) security(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	c, field := &spec.Security, "services."+s.Name
	c.CapAdd, c.CapDrop, c.Privileged = s.CapAdd, s.CapDrop, s.Privileged
	c.Sysctls = s.Sysctls
	if s.UserNSMode == "host" {
		c.UserNS = s.UserNSMode
	}
	for _, d := range s.Devices {
		c.Devices = append(c.Devices, api.Device{Path: d.Source, Target: d.Target, Access: d.Permissions})
	}
	for _, o := range s.SecurityOpt {
		key, value, _ := strings.Cut(strings.Replace(o, ":", "=", 1), "=")
		switch {
		case key == "no-new-privileges":
			c.NewPrivileges = value == "false"
		case key == "seccomp" && value == "unconfined":
			c.Seccomp = value
		case key == "seccomp":
			if !filepath.IsAbs(value) {
				value = filepath.Join(t.p.WorkingDir, value)
			}
			b, err := t.ReadFile(value)
			if err != nil {
				return api.Invalid(field+".security_opt", "seccomp profile: %s", err)
			}
			c.Seccomp = string(b)
		case o == "systempaths=unconfined":
			c.SystemPathsOpen = true
		default:
			t.warn(field+".security_opt", "%q is not honoured", o)
		}
	}
	return nil
}
