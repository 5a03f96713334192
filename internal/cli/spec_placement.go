package cli

import (
	"reflect"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// placementFlags say on which node an instance goes.
type placementFlags struct {
	nodes, with, apart []string
	strategy, over     string
	perNode            int
}

func (p *placementFlags) register(f *pflag.FlagSet) {
	listVar(f, &p.nodes, "constraint", "", "a `condition` on the node's labels, KEY=VALUE or KEY!=VALUE; see virga node")
	listVar(f, &p.with, "with", "", "be on a node that has an instance with a `label`")
	listVar(f, &p.apart, "apart", "", "be on a node that has no instance with a `label`")
	f.StringVar(&p.strategy, "placement", "", "how a group's instances are put among nodes: spread, pack (default spread)")
	f.StringVar(&p.over, "spread-over", "", "`label` of nodes that names what --placement spreads over, and --with and --apart mean (default each node)")
	f.IntVar(&p.perNode, "max-per-node", 0, "most instances of a group on one node; 0 is no limit")
}

func (p *placementFlags) apply(spec *api.InstanceSpec) {
	place := api.Placement{Nodes: p.nodes, With: p.with, Apart: p.apart, Strategy: p.strategy, Over: p.over, MaxPerNode: p.perNode}
	if !reflect.DeepEqual(place, api.Placement{}) {
		spec.Placement = &place
	}
}
