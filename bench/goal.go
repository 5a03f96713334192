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
