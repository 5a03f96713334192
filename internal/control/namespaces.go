package control

import (
	"strings"

	"github.com/virga-cloud/virga/api"
)

// validateNamespaces refuses what a user namespace would not allow, and what an
// instance cannot choose of a namespace that it does not have for itself.
func validateNamespaces(s *api.InstanceSpec) error {
	of := ""
	for _, n := range []struct {
		field, what, value string
		host, instance     bool // may be the node's, another instance's
	}{
		{"pid", "process ids", s.Namespaces.PID, true, true},
		{"ipc", "shared memory", s.Namespaces.IPC, true, true},
		{"uts", "host name", s.Namespaces.UTS, true, false},
		{"network", "network", s.Namespaces.Network, false, true},
	} {
		field := "spec.namespaces." + n.field
		name, other := strings.CutPrefix(n.value, api.NamespaceOf)
		switch {
		case n.value == "", n.value == api.NamespacePrivate:
		case n.value == api.NamespaceHost && n.host:
			if s.Security.OwnUserNS() {
				return api.Invalid(field, "an instance with a user namespace of its own cannot share the node's %s", n.what).
					WithHint("add --userns host, or --privileged: its root is then the node's root")
			}
		case other && n.instance && name != "":
			if of != "" && name != of {
				return api.Invalid(field, "namespaces of two instances, %s and %s, cannot be shared", of, name).WithHint("name one of them")
			}
			of = name
		default:
			return api.Invalid(field, "unknown namespace %q for the %s", n.value, n.what).
				WithHint("private%s%s", given(n.host, ", host"), given(n.instance, ", instance:NAME"))
		}
	}
	return validateShared(s)
}

func given(when bool, text string) string {
	if when {
		return text
	}
	return ""
}

// validateShared refuses to set what belongs to whoever the namespace is of.
func validateShared(s *api.InstanceSpec) error {
	n := &s.Namespaces
	if n.UTS == api.NamespaceHost && s.Hostname != "" {
		return api.Invalid("spec.hostname", "an instance with the node's host name has no other").WithHint("leave out one of the two")
	}
	for name := range s.Security.Sysctls {
		shared := strings.HasPrefix(name, "net.") && n.Network != "" ||
			strings.HasSuffix(name, "name") && n.UTS == api.NamespaceHost ||
			(strings.HasPrefix(name, "kernel.") && !strings.HasSuffix(name, "name") || strings.HasPrefix(name, "fs.mqueue.")) &&
				n.IPC != "" && n.IPC != api.NamespacePrivate
		if shared {
			return api.Invalid("spec.security.sysctls."+name, "sysctl %s would change a namespace that the instance shares", name).
				WithHint("set it on what it shares the namespace with")
		}
	}
	if n.Network == "" {
		return nil
	}
	for _, c := range []struct {
		field, what string
		set         bool
	}{
		{"networks", "networks", len(s.Networks) > 0},
		{"ports", "published ports", len(s.Ports) > 0},
		{"hostname", "host name", s.Hostname != ""},
		{"dns", "name servers", len(s.DNS)+len(s.DNSSearch)+len(s.DNSOptions) > 0},
		{"extraHosts", "lines of /etc/hosts", len(s.ExtraHosts) > 0},
		{"userData", "user data", len(s.UserData) > 0},
		{"resources.networkRate", "network rate", s.Resources.NetworkRate != (api.NetworkRate{})},
	} {
		if c.set {
			return api.Invalid("spec."+c.field, "an instance on another one's network has no %s of its own", c.what).
				WithHint("give them to %s", n.Instance())
		}
	}
	return nil
}

// join replaces the name of the instance that a spec shares namespaces with by
// its id.
func (a *Admission) join(project string, s *api.InstanceSpec) error {
	name := s.Namespaces.Instance()
	if name == "" {
		return nil
	}
	of, err := a.Store.Instances.Find(project, name)
	if api.CodeOf(err) == api.CodeNotFound {
		return api.Errorf(api.CodeNotFound, "no instance %q to share namespaces with", name).InField("spec.namespaces").
			WithHint("virga ps -a lists those there are")
	}
	if err != nil {
		return err
	}
	if s.Security.OwnUserNS() && !of.Spec.Security.OwnUserNS() {
		return api.Invalid("spec.namespaces", "%s has no user namespace: one that has cannot share its namespaces", of.Name).
			WithHint("add --userns host, or --privileged: its root is then the node's root")
	}
	n := &s.Namespaces
	for _, v := range []*string{&n.PID, &n.IPC, &n.Network} {
		if strings.HasPrefix(*v, api.NamespaceOf) {
			*v = api.NamespaceOf + of.ID
		}
	}
	return nil
}
