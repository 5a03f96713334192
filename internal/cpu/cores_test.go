package cpu

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu/pool"
)

func dedicated(id string, n float64) Claim {
	return Claim{Instance: id, Family: api.FamilyDedicated, VCPUs: n}
}

func shared(id, list string) Claim {
	return Claim{Instance: id, Family: api.FamilyShared, VCPUs: 1, CPUSet: list}
}

// What is dedicated is nobody else's; the rest moves, live, and moves back.
func TestDedicated(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		m := newMachine()
		m.v2 = v2
		c, said := m.controller(t, t.TempDir())
		m.start(t, c, shared("s", ""), 0)
		m.start(t, c, shared("pinned", "2-3"), 0)
		want := func(when, shared, s, pinned, d string) {
			t.Helper()
			if !v2 {
				s = "" // it is where all are
			}
			if v2 {
				shared = m.shared
			}
			got := m.describe("s", "pinned", "d")
			expect := "shared=" + shared + " s=" + s + " pinned=" + pinned
			if d != "" {
				expect += " d=" + d
			}
			if got != expect {
				t.Errorf("v2 %v, %s: %s, want %s", v2, when, got, expect)
			}
		}
		if g := m.start(t, c, dedicated("d", 1), 0); g.Cores != "3" || g.CPUs != 0 {
			t.Errorf("granted %+v", g)
		}
		want("one core is dedicated", "0-2", "0-2", "2", "3")
		if len(*said) != 1 || !strings.Contains((*said)[0], "pinned: of the CPUs 2-3 only 2") {
			t.Errorf("told %q", *said)
		}
		g, err := c.Change(dedicated("d", 3))
		if err != nil {
			t.Fatal(err)
		}
		_ = m.SetCPUs("d", g.CPUSet)
		c.Started("d")
		want("three are", "0", "0", "0", "1-3")
		if _, err := c.Admit(dedicated("e", 1)); api.CodeOf(err) != api.CodeInsufficientCapacity {
			t.Errorf("the system's core: %v", err)
		}
		if g := m.start(t, c, shared("late", "1-2"), 0); g.CPUSet != "0" || len(g.Warnings) != 1 {
			t.Errorf("granted %+v", g)
		}
		c.Release("d")
		delete(m.groups, "d")
		want("none is", "", "", "2-3", "")
	}
}

func TestAdoptDedicated(t *testing.T) {
	dir, m := t.TempDir(), newMachine()
	c, _ := m.controller(t, dir)
	m.start(t, c, shared("s", ""), 0)
	m.start(t, c, dedicated("d", 2), 0)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	before := m.describe("s", "d")
	c, _ = m.controller(t, dir)
	for _, claim := range []Claim{shared("s", ""), dedicated("d", 2)} {
		if _, err := c.Adopt(claim); err != nil {
			t.Fatal(err)
		}
	}
	c.tick()
	if got := m.describe("s", "d"); got != before {
		t.Errorf("%s, before the restart %s", got, before)
	}
	if n := c.Capacity(); n != (Capacity{Online: 4, Free: 1, Shared: 2, PerCore: 1}) {
		t.Errorf("%+v", n)
	}
}

// CPUs go: their owner gets others, or less, and is told.
func TestUnplug(t *testing.T) {
	m := newMachine()
	c, said := m.controller(t, t.TempDir())
	m.start(t, c, shared("s", ""), 0)
	m.start(t, c, dedicated("d", 2), 0) // 2-3
	for _, step := range []struct{ online, want, said string }{
		{"0-2", "shared=0 s= d=1-2", "moved to 1-2"},
		{"0,2", "shared=0 s= d=2", "only 2 are left"},
		{"0-3", "shared=0-1,3 s= d=2", "only 2 are left"},
		{"0-1,3", "shared=0 s= d=1,3", "moved to 1,3"},
	} {
		m.online = step.online
		m.pass(slowTick)
		c.tick()
		if got := m.describe("s", "d"); got != step.want {
			t.Errorf("online %s: %s, want %s", step.online, got, step.want)
		}
		if last := (*said)[len(*said)-1]; !strings.Contains(last, step.said) {
			t.Errorf("online %s: told %q", step.online, last)
		}
	}
}

func TestTopology(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	sys := fstest.MapFS{
		"cpu0/topology/core_cpus_list": file("0,2\n"), "cpu0/node0/x": file(""),
		"cpu2/topology/core_cpus_list":       file("0,2\n"),
		"cpu1/topology/thread_siblings_list": file("1,3\n"), "cpu1/node1/x": file(""),
	}
	cores, err := topology(sys, pool.CPUSet{0, 1, 2, 4})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cores {
		got = append(got, c.Threads.String()+"@"+string(rune('0'+c.NUMA)))
	}
	if s := strings.Join(got, " "); s != "0,2@0 1@1 4@0" {
		t.Errorf("got %s", s)
	}
}
