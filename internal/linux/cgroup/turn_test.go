package cgroup

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTurn(t *testing.T) {
	if turn, of := Turn(.1); turn != 2*time.Millisecond || of != 20*time.Millisecond {
		t.Errorf("0.1 vCPUs are %v of %v", turn, of)
	}
}

func TestRunsOn(t *testing.T) {
	line := func(state string, cpu any) string {
		return fmt.Sprintf("12 (a) R b) %s %s%v 0 0", state, strings.Repeat("0 ", 35), cpu)
	}
	for _, tt := range []struct {
		in   string
		want int
		ok   bool
	}{
		{line("R", 3), 3, true}, {line("S", 3), 0, false}, {line("R", "x"), 0, false}, {line("R", -1), -1, false},
		{"", 0, false}, {"12 (a) R 1", 0, false},
	} {
		if got, ok := runsOn([]byte(tt.in)); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %d %v", tt.in, got, ok)
		}
	}
}

// A group that spins is found on a CPU; one that does not exist is nowhere.
func TestBusy(t *testing.T) {
	r := testRoot(t)
	g, _, err := r.Create("busy", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Kill(t.Context()); _ = g.Delete(t.Context()) })
	if cpus, err := g.Busy(); err != nil || len(cpus) != 0 {
		t.Errorf("an empty group is on %v, %v", cpus, err)
	}
	if cpus, err := r.Group("none").Busy(); err != nil || len(cpus) != 0 {
		t.Errorf("a group that is gone is on %v, %v", cpus, err)
	}
	enteredRunning(t, g, "while :; do :; done")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		cpus, err := g.Busy()
		if err != nil {
			t.Fatal(err)
		}
		if len(cpus) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a spinning group is on %v", cpus)
		}
	}
}
