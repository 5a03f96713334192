package pool

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// machine has that many NUMA nodes, each of cores with two threads, numbered
// as Linux does: first threads of all cores, then second ones.
func machine(nodes, coresPerNode int) []Core {
	n := nodes * coresPerNode
	var cores []Core
	for i := range n {
		cores = append(cores, Core{Threads: CPUSet{i, n + i}, NUMA: i / coresPerNode})
	}
	return cores
}

func TestAllocate(t *testing.T) {
	p := New(machine(2, 4), 2)
	for _, step := range []struct {
		owner string
		n     int
		want  string
	}{
		{"a", 2, "3,11"},
		{"b", 8, "4-7,12-15"},
		{"a", 2, "3,11"},
		{"c", 3, "1-2,9-10"},
	} {
		got, err := p.Allocate(step.owner, step.n)
		if err != nil || got.String() != step.want {
			t.Errorf("%s asks for %d: got %q %v, want %q", step.owner, step.n, got, err, step.want)
		}
	}
	if got := p.Shared().String(); got != "0,8" {
		t.Errorf("shared pool %q, want 0,8", got)
	}
	_, err := p.Allocate("d", 1)
	if short, ok := errors.AsType[*ShortError](err); !ok || short.Free != 0 {
		t.Errorf("a full machine gave a core: %v", err)
	}
	p.Release("b")
	if got, err := p.Allocate("d", 4); err != nil || got.String() != "6-7,14-15" {
		t.Errorf("after a release: %q %v", got, err)
	}
}

func TestTwoCPUsGiveOneCore(t *testing.T) {
	p := New([]Core{{Threads: CPUSet{0}}, {Threads: CPUSet{1}}}, 1)
	if got, err := p.Allocate("a", 1); err != nil || got.String() != "1" {
		t.Fatalf("got %q %v", got, err)
	}
	if _, err := p.Allocate("b", 1); err == nil {
		t.Fatal("the system's last CPU was given away")
	}
}

func TestLostCores(t *testing.T) {
	p := New(machine(1, 4), 2)
	if _, err := p.Allocate("a", 4); err != nil {
		t.Fatal(err)
	}
	hit := p.Lost(CPUSet{0, 1, 2, 4, 5, 6})
	if fmt.Sprint(hit) != "[a]" || p.Owned("a").String() != "2,6" {
		t.Errorf("lost by %v, a has %q", hit, p.Owned("a"))
	}
}

// However cores come and go: no CPU has two owners, none of an owner's is in
// the shared pool, and the reserve stays.
func TestPoolInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(machine(rapid.IntRange(1, 3).Draw(t, "nodes"), rapid.IntRange(2, 6).Draw(t, "cores")), rapid.IntRange(1, 3).Draw(t, "reserve"))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			owner := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "owner"))
			if rapid.Bool().Draw(t, "release") {
				p.Release(owner)
			} else {
				before := p.Owned(owner).String()
				n := rapid.IntRange(1, 8).Draw(t, "n")
				got, err := p.Allocate(owner, n)
				if err == nil && len(got) < n || err != nil && p.Owned(owner).String() != before {
					t.Fatalf("asked %d, got %v %v, had %q", n, got, err, before)
				}
			}
			seen := map[int]bool{}
			for _, set := range p.owned {
				for _, c := range set {
					if seen[c] || p.Shared().Contains(c) {
						t.Fatalf("cpu %d has two owners", c)
					}
					seen[c] = true
				}
			}
			if len(p.Shared()) < p.reserve {
				t.Fatalf("shared pool %v is below the reserve %d", p.Shared(), p.reserve)
			}
		}
	})
}

func FuzzParseCPUSet(f *testing.F) {
	for _, s := range []string{"", "0", "0-3,8", "3,1,2", "1-", "-1", "9999999999", "0-8191,5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := ParseCPUSet(s)
		if err != nil {
			return
		}
		again, err := ParseCPUSet(set.String())
		if err != nil || again.String() != set.String() {
			t.Fatalf("%q → %q → %q %v", s, set, again, err)
		}
	})
}
