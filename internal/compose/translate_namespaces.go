package compose

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// namespaces shares the node's, or those of an instance that is named.
func (t *translation) namespaces(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	for _, n := range []struct {
		field, value string
		to           *string
	}{{"pid", s.Pid, &spec.Namespaces.PID}, {"ipc", s.Ipc, &spec.Namespaces.IPC}, {"uts", s.Uts, &spec.Namespaces.UTS}} {
		name, container := strings.CutPrefix(n.value, "container:")
		switch {
		case container && n.field != "uts":
			*n.to = api.NamespaceOf + name
		case n.value == api.NamespaceHost:
			*n.to = n.value
		case n.value != "" && n.value != api.NamespacePrivate && n.value != "shareable":
			return api.Errorf(api.CodeNotSupported, "service %s: %s %q is not supported", s.Name, n.field, n.value).
				InField("services." + s.Name + "." + n.field).WithHint("host, or container:NAME of an instance")
		}
	}
	return nil
}
