package main

import "fmt"

// goal is what a figure has to reach; the zero goal is always met.
type goal struct {
	kind  string // "", "≤", "≥" of the value, "ratio ≤", "ratio ≥" of the value to the peer's
	bound float64
}

func atMost(v float64) goal       { return goal{"≤", v} }
func atLeast(v float64) goal      { return goal{"≥", v} }
func ratioAtMost(v float64) goal  { return goal{"ratio ≤", v} }
func ratioAtLeast(v float64) goal { return goal{"ratio ≥", v} }

func (g goal) met(value, ratio float64) bool {
	switch g.kind {
	case "≤":
		return value <= g.bound
	case "≥":
		return value >= g.bound
	case "ratio ≤":
		return ratio <= g.bound
	case "ratio ≥":
		return ratio >= g.bound
	}
	return true
}

func (g goal) String() string {
	if g.kind == "" {
		return ""
	}
	return fmt.Sprintf("%s %.4g", g.kind, g.bound)
}

// relative are the goals that a figure has beside a peer, by the first word of
// the peer's name. The absolute goals were set on a machine on which bare crun
// took 7.0 ms for a cycle and made 229 per second eight at a time, and docker
// 250 ms. On a slower or faster machine the same distances are these ratios; a
// figure is recorded against both, and neither stands for the other.
var relative = map[string]map[string][]goal{
	"start.api": {
		"crun": {ratioAtMost(1), ratioAtMost(6 / 7.0)}, "runc": {ratioAtMost(1)}, "ctr": {ratioAtMost(1)},
		"podman": {ratioAtMost(1)}, "docker": {ratioAtMost(1)},
	},
	"start.main": {"crun": {ratioAtMost(3 / 7.0)}},
	"start.command": {
		"crun": {ratioAtMost(10 / 7.0)}, "ctr": {ratioAtMost(0.1)}, "podman": {ratioAtMost(0.1)}, "docker": {ratioAtMost(1 / 25.0)},
	},
	"rate.api": {
		"crun": {ratioAtLeast(1), ratioAtLeast(500 / 229.0)}, "runc": {ratioAtLeast(1)}, "ctr": {ratioAtLeast(1)},
		"podman": {ratioAtLeast(1)}, "docker": {ratioAtLeast(1)},
	},
}
