package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/spot"
)

// refuse says why a node cannot have the instance, "" when it can.
func (c *chooser) refuse(n *Node) string {
	p := c.Placement
	here := c.places[c.key(n)]
	if n.Closed != "" {
		return n.Closed
	}
	for _, cond := range p.Nodes {
		if (Label{cond.Key, cond.Value}).on(n.Labels) == cond.Not {
			return "not " + cond.String()
		}
	}
	for _, l := range p.Apart {
		if has(here.tenants, l) {
			return "beside " + l.String()
		}
	}
	for _, l := range p.With {
		if !has(here.tenants, l) && !(l.on(c.Labels) && c.nowhere(l)) {
			return "not beside " + l.String()
		}
	}
	if m := p.MaxPerNode; m > 0 && c.members(n) >= m {
		return fmt.Sprintf("%d of %s already", m, c.Group)
	}
	for i, name := range shortage {
		if n.Free[i] < c.Room[i] {
			return "too little " + name
		}
	}
	return ""
}

// shortage names the parts of a room.
var shortage = [4]string{spot.VCPUs: "CPU", spot.Baseline: "baseline CPU", spot.Cores: "whole cores", spot.Memory: "memory"}

// nowhere reports whether no place has an instance with a label.
func (c *chooser) nowhere(l Label) bool {
	for _, p := range c.places {
		if has(p.tenants, l) {
			return false
		}
	}
	return true
}

func has(tenants []Tenant, l Label) bool {
	return slices.ContainsFunc(tenants, func(t Tenant) bool { return l.on(t.Labels) })
}

// explain says what each node lacks: "no node can have web-1: 2 nodes too
// little memory, 1 node not zone=a".
func explain(name string, refused map[string]int) *api.Error {
	if len(refused) == 0 {
		return api.Errorf(api.CodeInsufficientCapacity, "no node can have %s: there is none", name)
	}
	var parts []string
	for _, why := range slices.SortedFunc(maps.Keys(refused), func(a, b string) int {
		if d := refused[b] - refused[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	}) {
		nodes := "nodes"
		if refused[why] == 1 {
			nodes = "node"
		}
		parts = append(parts, fmt.Sprintf("%d %s %s", refused[why], nodes, why))
	}
	return api.Errorf(api.CodeInsufficientCapacity, "no node can have %s: %s", name, strings.Join(parts, ", "))
}
