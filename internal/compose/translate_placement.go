package compose

import (
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// nodeKeys are the words of placement constraints, and the labels of nodes that
// say the same.
var nodeKeys = map[string]string{
	"node.id": api.NodeLabelName, "node.hostname": api.NodeLabelName, "node.role": api.NodeLabelRole,
	"node.platform.os": api.NodeLabelOS, "node.platform.arch": api.NodeLabelArch,
}

// architectures are other names of Go's.
var architectures = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// nodeLabels begins the name of a label that the operator gave a node.
const nodeLabels = "node.labels."

var constraint = regexp.MustCompile(`^\s*([^\s=!]+)\s*(==|!=)\s*(.*?)\s*$`)

// placement translates deploy.placement.
func (t *translation) placement(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	if s.Deploy == nil {
		return nil
	}
	field, d := "services."+s.Name+".deploy.placement", s.Deploy.Placement
	var p api.Placement
	for _, text := range d.Constraints {
		c, err := nodeCondition(text)
		if err != nil {
			return api.Invalid(field+".constraints", "service %s: constraint %q: %s", s.Name, text, err).
				WithHint("such as node.labels.zone==a or node.hostname!=n1")
		}
		p.Nodes = append(p.Nodes, c.String())
	}
	for _, preference := range d.Preferences {
		over, ok := strings.CutPrefix(preference.Spread, nodeLabels)
		if !ok || p.Over != "" {
			t.warn(field+".preferences", "%q is not honoured: virga spreads over one label of nodes", preference.Spread)
			continue
		}
		p.Over = over
	}
	p.MaxPerNode = int(d.MaxReplicas)
	if len(p.Nodes) > 0 || p.Over != "" || p.MaxPerNode > 0 {
		spec.Placement = &p
	}
	return nil
}

// nodeCondition is a constraint as one on a label of nodes.
func nodeCondition(text string) (c api.Condition, err error) {
	m := constraint.FindStringSubmatch(text)
	if m == nil {
		return c, api.Invalid("", "want KEY==VALUE or KEY!=VALUE")
	}
	key, value := m[1], m[3]
	label, ok := nodeKeys[key]
	if !ok {
		label, ok = strings.CutPrefix(key, nodeLabels)
	}
	if !ok || strings.HasPrefix(key, nodeLabels+"virga.") {
		return c, api.Invalid("", "%s is nothing that is known of nodes: there are node.labels.…, node.hostname, node.id, node.role, node.platform.os and node.platform.arch", key)
	}
	if name, ok := architectures[value]; ok && key == "node.platform.arch" {
		value = name
	}
	op := "="
	if m[2] == "!=" {
		op = "!="
	}
	return api.ParseCondition(label + op + value)
}
