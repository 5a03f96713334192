package cgroup

import (
	"testing"
	"time"
)

func TestTurn(t *testing.T) {
	if turn, of := Turn(.1); turn != time.Millisecond || of != 10*time.Millisecond {
		t.Errorf("0.1 vCPUs are %v of %v", turn, of)
	}
}

// A group is not taken for one that had its name before.
func TestID(t *testing.T) {
	r := testRoot(t)
	if r.Unified == "" {
		t.Skip("the unified hierarchy: not supported by this machine")
	}
	if _, err := r.Group("again").ID(); !Gone(err) {
		t.Errorf("of a group that is gone: %v", err)
	}
	var seen []uint64
	for range 2 {
		g, _, err := r.Create("again", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		id, err := g.ID()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, id)
		if err := g.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if seen[0] == 0 || seen[0] == seen[1] {
		t.Errorf("two groups of one name have the numbers %v", seen)
	}
}
