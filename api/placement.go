package api

import "strings"

// Placement says which nodes may have an instance and which should. Of a group
// it speaks of every member.
type Placement struct {
	// Nodes are conditions on the labels of nodes; all must hold.
	Nodes []string `json:"nodes,omitempty" doc:"Conditions KEY=VALUE or KEY!=VALUE on the labels of nodes"`
	// Strategy spreads the instances of a group, so that the loss of a node
	// costs least, or packs them, so that nodes stay free for what is large.
	Strategy string `json:"strategy,omitempty" enum:"spread,pack" doc:"Default spread"`
	// Over is the label of nodes that names what is spread over, such as a rack.
	Over string `json:"over,omitempty" doc:"Label of nodes to spread over; default each node by itself"`
	// MaxPerNode bounds the instances of one group on one node.
	MaxPerNode int `json:"maxPerNode,omitempty" minimum:"0" doc:"Most instances of the group on one node; 0 is no limit"`
	// With and Apart are labels of instances that the node, or what Over names,
	// must have one of, and none of.
	With  []string `json:"with,omitempty" doc:"KEY=VALUE of instances to be beside"`
	Apart []string `json:"apart,omitempty" doc:"KEY=VALUE of instances not to be beside"`
}

// Labels that every node has, beside those that its configuration gives it.
const (
	NodeLabelName = "virga.node" // its name
	NodeLabelRole = "virga.role" // manager: it has the control plane
	NodeLabelOS   = "virga.os"   // linux
	NodeLabelArch = "virga.arch" // amd64, arm64
)

// Condition is one on a label: that it has a value, or another one or none.
type Condition struct {
	Key, Value string
	Not        bool
}

// maxLabelKey is the longest key of a label that a condition may name.
const maxLabelKey = 253

// isLabelKey reports whether s consists of letters, digits and, between them,
// dots, dashes, underscores and slashes.
func isLabelKey(s string) bool {
	if s == "" || len(s) > maxLabelKey {
		return false
	}
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		inner := i > 0 && i < len(s)-1 && strings.IndexByte("._/-", c) >= 0
		if !letter && !inner {
			return false
		}
	}
	return true
}

// ParseCondition reads KEY=VALUE, KEY==VALUE or KEY!=VALUE; spaces around key
// and value do not count.
func ParseCondition(s string) (Condition, error) {
	key, value, ok := strings.Cut(s, "=")
	c := Condition{Value: strings.TrimSpace(strings.TrimPrefix(value, "="))}
	key, c.Not = strings.CutSuffix(key, "!")
	c.Key = strings.TrimSpace(key)
	if !ok || !isLabelKey(c.Key) || c.Value == "" {
		return c, Errorf(CodeInvalid, "condition %q is not KEY=VALUE or KEY!=VALUE", s)
	}
	return c, nil
}

// String is the condition as ParseCondition reads it.
func (c Condition) String() string {
	if c.Not {
		return c.Key + "!=" + c.Value
	}
	return c.Key + "=" + c.Value
}
