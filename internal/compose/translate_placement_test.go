package compose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/virga-cloud/virga/api"
)

func TestPlacementOfCompose(t *testing.T) {
	for _, c := range []struct {
		what, yaml string
		want       *api.Placement
		warning    string
	}{
		{"none", "{replicas: 1}", nil, ""},
		{"constraints", `{placement: {constraints: [node.labels.zone == a, "node.hostname!=n2", "node.role == manager", "node.platform.arch==x86_64", node.platform.os==linux]}}`,
			&api.Placement{Nodes: []string{"zone=a", "virga.node!=n2", "virga.role=manager", "virga.arch=amd64", "virga.os=linux"}}, ""},
		{"preference", "{placement: {preferences: [{spread: node.labels.rack}]}}", &api.Placement{Over: "rack"}, ""},
		{"a second preference", "{placement: {preferences: [{spread: node.labels.rack}, {spread: node.labels.row}]}}", &api.Placement{Over: "rack"}, `"node.labels.row" is not honoured`},
		{"most on a node", "{replicas: 3, placement: {max_replicas_per_node: 2}}", &api.Placement{MaxPerNode: 2}, ""},
	} {
		p, err := text(t, "services: {web: {image: x, deploy: "+c.yaml+"}}")
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if d := cmp.Diff(c.want, p.Workloads[0].Spec().Placement); d != "" {
			t.Errorf("%s: %s", c.what, d)
		}
		if got := strings.Join(p.Warnings, "; "); c.warning == "" && got != "" || !strings.Contains(got, c.warning) {
			t.Errorf("%s: warnings %q, want %q", c.what, got, c.warning)
		}
	}
	for _, bad := range []string{"node.labels.zone", "node.labels.zone=a", "engine.labels.x==y", "node.ip==1.2.3.4", "node.labels.virga.node==n1", "node.labels.zone==", "zone==a"} {
		_, err := text(t, "services: {web: {image: x, deploy: {placement: {constraints: ['"+bad+"']}}}}")
		if api.CodeOf(err) != api.CodeInvalid || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
