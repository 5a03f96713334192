package schedule

import (
	"cmp"
	"slices"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/spot"
)

// Node is what a choice needs to know of one.
type Node struct {
	Name   string
	Labels map[string]string
	Total  spot.Room
	Free   spot.Room
	// Closed says why it takes nothing new, such as that it is lost; "" is
	// open.
	Closed string
	Has    []Tenant
}

// Tenant is an instance on a node.
type Tenant struct {
	Group  string
	Labels map[string]string
}

// Strategy is how instances of a group are put among nodes.
type Strategy int

const (
	// Spread puts them where there are fewest of the group, so that the loss of
	// a node costs least.
	Spread Strategy = iota
	// Pack fills nodes up, so that others stay free for what is large.
	Pack
)

// Placement is where the instances of a group may and should be.
type Placement struct {
	Strategy Strategy
	// Over is the label of nodes that names what is spread over and what With
	// and Apart mean by a place, such as a rack; "" is each node by itself. A
	// node without the label is a place of its own.
	Over string
	// MaxPerNode bounds the group's instances on one node; 0 does not.
	MaxPerNode int
	// Nodes are conditions on the labels of nodes; all must hold.
	Nodes []api.Condition
	// With are labels of instances of which the place must have one each, and
	// Apart such of which it must have none. While no place has one of With,
	// an instance that has the label itself may be the first.
	With, Apart []Label
}

// Label is a label and its value.
type Label struct{ Key, Value string }

func (l Label) on(labels map[string]string) bool {
	v, ok := labels[l.Key]
	return ok && v == l.Value
}

func (l Label) String() string { return l.Key + "=" + l.Value }

// Request is one instance that needs a node.
type Request struct {
	Name      string
	Group     string // "" for none
	Labels    map[string]string
	Room      spot.Room
	Placement Placement
}

// Choose returns the name of the node that r goes to. When there is none the
// error, of InsufficientCapacity, says what each node lacks.
func Choose(nodes []Node, r Request) (string, error) {
	c := &chooser{Request: r, places: map[string]*place{}}
	for i := range nodes {
		c.count(&nodes[i])
	}
	var fit []*Node
	refused := map[string]int{}
	for i := range nodes {
		if why := c.refuse(&nodes[i]); why != "" {
			refused[why]++
		} else {
			fit = append(fit, &nodes[i])
		}
	}
	if len(fit) == 0 {
		return "", explain(r.Name, refused)
	}
	return slices.MinFunc(fit, c.compare).Name, nil
}

// place is a node, or all nodes with one value of the label Over.
type place struct {
	members int // of the group
	nodes   int
	tenants []Tenant
}

// chooser is one choice.
type chooser struct {
	Request
	places map[string]*place
}

// key names a node's place.
func (c *chooser) key(n *Node) string {
	if v, ok := n.Labels[c.Placement.Over]; ok && c.Placement.Over != "" {
		return "label " + v
	}
	return "node " + n.Name
}

func (c *chooser) count(n *Node) {
	p := c.places[c.key(n)]
	if p == nil {
		p = &place{}
		c.places[c.key(n)] = p
	}
	p.nodes++
	p.members += c.members(n)
	p.tenants = append(p.tenants, n.Has...)
}

// members is how many of the group a node has.
func (c *chooser) members(n *Node) (count int) {
	for _, t := range n.Has {
		if c.Group != "" && t.Group == c.Group {
			count++
		}
	}
	return count
}

// compare orders nodes that fit, the best first.
func (c *chooser) compare(a, b *Node) int {
	left := func(n *Node) float64 { return 1 - spot.Utilisation(n.Total, n.Free.Minus(c.Room)) }
	if c.Placement.Strategy == Pack {
		return cmp.Or(cmp.Compare(left(a), left(b)), cmp.Compare(a.Name, b.Name))
	}
	return cmp.Or(
		cmp.Compare(c.places[c.key(a)].members, c.places[c.key(b)].members),
		cmp.Compare(c.members(a), c.members(b)),
		cmp.Compare(left(b), left(a)),
		cmp.Compare(a.Name, b.Name),
	)
}
