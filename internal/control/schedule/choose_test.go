package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/spot"
)

const gib = 1 << 30

func room(cpus, memory int64) spot.Room {
	return spot.Room{spot.VCPUs: cpus * 1e6, spot.Memory: memory * gib}
}

// node is a fake one of 8 vCPUs and 16 GiB, by name and labels such as
// "zone=a".
func node(name string, labels ...string) Node {
	n := Node{Name: name, Labels: map[string]string{}, Total: room(8, 16), Free: room(8, 16)}
	for _, l := range labels {
		k, v, _ := strings.Cut(l, "=")
		n.Labels[k] = v
	}
	return n
}

// put places n instances one after another, and returns how many each node has.
func put(t *testing.T, nodes []Node, r Request, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		name, err := Choose(nodes, r)
		if err != nil {
			t.Fatal(err)
		}
		got[name]++
		bind(nodes, name, r)
	}
	return got
}

func bind(nodes []Node, name string, r Request) {
	i := slices.IndexFunc(nodes, func(n Node) bool { return n.Name == name })
	nodes[i].Free = nodes[i].Free.Minus(r.Room)
	nodes[i].Has = append(nodes[i].Has, Tenant{Group: r.Group, Labels: r.Labels})
}

func same(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPlacement(t *testing.T) {
	web := Request{Name: "web-1", Group: "web", Labels: map[string]string{"app": "web"}, Room: room(1, 2)}
	three := func() []Node { return []Node{node("a", "zone=x"), node("b", "zone=x"), node("c", "zone=y")} }

	same(t, "spread", put(t, three(), web, 6), map[string]int{"a": 2, "b": 2, "c": 2})
	zones := web
	zones.Placement.Over = "zone"
	same(t, "spread over zones", put(t, three(), zones, 4), map[string]int{"a": 1, "b": 1, "c": 2})
	full := three()
	full[0].Free = room(1, 1)
	same(t, "spread over what has room", put(t, full, web, 4), map[string]int{"b": 2, "c": 2})
	used := three()
	used[0].Free, used[1].Free = room(4, 8), room(7, 12)
	same(t, "the emptier of equals", put(t, used, web, 1), map[string]int{"c": 1})

	packed := web
	packed.Placement.Strategy = Pack
	same(t, "pack", put(t, three(), packed, 10), map[string]int{"a": 8, "b": 2})
	same(t, "pack what is fullest", put(t, used, packed, 1), map[string]int{"a": 1})

	few := packed
	few.Placement.MaxPerNode = 2
	same(t, "at most two on a node", put(t, three(), few, 6), map[string]int{"a": 2, "b": 2, "c": 2})

	there := web
	there.Placement.Nodes = []api.Condition{{Key: "zone", Value: "x"}, {Key: "disk", Value: "slow", Not: true}}
	slow := three()
	slow[0].Labels["disk"] = "slow"
	same(t, "conditions", put(t, slow, there, 2), map[string]int{"b": 2})

	apart := web
	apart.Placement.Apart = []Label{{"app", "web"}}
	same(t, "apart from each other", put(t, three(), apart, 3), map[string]int{"a": 1, "b": 1, "c": 1})
	apart.Placement.Over = "zone"
	same(t, "a zone each", put(t, three(), apart, 2), map[string]int{"a": 1, "c": 1})

	near := Request{Name: "cache-1", Group: "cache", Labels: map[string]string{"app": "cache"}, Room: room(1, 1)}
	near.Placement.With = []Label{{"app", "web"}}
	beside := three()
	beside[1].Has = []Tenant{{Group: "web", Labels: web.Labels}}
	same(t, "with web", put(t, beside, near, 2), map[string]int{"b": 2})
	near.Placement.With = []Label{{"app", "cache"}}
	same(t, "together, wherever the first is", put(t, three(), near, 3), map[string]int{"a": 3})

	lost := three()
	lost[0].Closed, lost[2].Closed = "lost", "lost"
	same(t, "not on a node that is lost", put(t, lost, web, 2), map[string]int{"b": 2})
}

func TestRefusalsAreExplained(t *testing.T) {
	nodes := []Node{node("a"), node("b", "zone=y"), node("c", "zone=x"), node("d", "zone=x"), node("e", "zone=x"), node("f", "zone=x"), node("g", "zone=x")}
	nodes[0].Closed = "lost"
	nodes[2].Free = room(1, 1)
	nodes[3].Free = room(0, 16)
	nodes[4].Has = []Tenant{{Labels: map[string]string{"app": "noisy"}}}
	nodes[5].Free = room(1, 1)
	nodes[6].Has = []Tenant{{Group: "web"}}
	r := Request{Name: "web-1", Group: "web", Room: room(1, 2), Placement: Placement{
		Nodes: []api.Condition{{Key: "zone", Value: "x"}}, Apart: []Label{{"app", "noisy"}}, MaxPerNode: 1,
	}}
	_, err := Choose(nodes, r)
	const want = "no node can have web-1: 2 nodes too little memory, 1 node 1 of web already, 1 node beside app=noisy, 1 node lost, 1 node not zone=x, 1 node too little CPU"
	if err == nil || err.Error() != want || api.CodeOf(err) != api.CodeInsufficientCapacity {
		t.Errorf("%v, want %s", err, want)
	}
	r.Placement = Placement{Nodes: []api.Condition{{Key: "zone", Value: "x", Not: true}}}
	r.Room = spot.Room{}
	if _, err := Choose(nodes[2:3], r); err == nil || !strings.Contains(err.Error(), "1 node not zone!=x") {
		t.Errorf("a condition with not: %v", err)
	}
	r.Placement = Placement{With: []Label{{"app", "db"}}}
	if _, err := Choose(nodes[1:2], r); err == nil || !strings.Contains(err.Error(), "1 node not beside app=db") {
		t.Errorf("with nobody: %v", err)
	}
	if _, err := Choose(nil, r); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("no nodes: %v", err)
	}
}

// Whatever the fleet: who is placed fits and breaks no rule, the order of the
// nodes does not matter, a refusal means that no node would do, and a group
// that is spread over equal nodes differs by at most one among them.
func TestChoicesAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "nodes")
		nodes := make([]Node, n)
		for i := range nodes {
			nodes[i] = node(fmt.Sprintf("n%02d", i), "zone="+rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "zone"))
			nodes[i].Free = room(rapid.Int64Range(0, 8).Draw(t, "cpus"), rapid.Int64Range(0, 16).Draw(t, "memory"))
			if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
				nodes[i].Closed = "lost"
			}
		}
		p := Placement{MaxPerNode: rapid.IntRange(0, 3).Draw(t, "most")}
		p.Strategy = rapid.SampledFrom([]Strategy{Spread, Pack}).Draw(t, "strategy")
		p.Over = rapid.SampledFrom([]string{"", "zone"}).Draw(t, "over")
		if rapid.Bool().Draw(t, "apart") {
			p.Apart = []Label{{"app", "other"}}
		}
		for range rapid.IntRange(0, 40).Draw(t, "instances") {
			r := Request{Name: "i", Group: "g", Labels: map[string]string{"app": rapid.SampledFrom([]string{"g", "other"}).Draw(t, "app")}, Placement: p}
			r.Room = room(rapid.Int64Range(0, 3).Draw(t, "cpus"), rapid.Int64Range(0, 4).Draw(t, "memory"))
			name, err := Choose(nodes, r)
			shuffled := slices.Clone(nodes)
			slices.Reverse(shuffled)
			if again, _ := Choose(shuffled, r); again != name {
				t.Fatalf("%s, and %s by another order of the nodes", name, again)
			}
			c := &chooser{Request: r, places: map[string]*place{}}
			for i := range nodes {
				c.count(&nodes[i])
			}
			for i := range nodes {
				why := c.refuse(&nodes[i])
				if nodes[i].Name == name && (why != "" || nodes[i].Closed != "" || !nodes[i].Free.Covers(r.Room)) {
					t.Fatalf("%s was chosen and would refuse: %s", name, why)
				}
				if err != nil && why == "" {
					t.Fatalf("%v, and %s would do", err, nodes[i].Name)
				}
			}
			if err == nil {
				bind(nodes, name, r)
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var nodes []Node
		for i := range rapid.IntRange(1, 20).Draw(t, "nodes") {
			nodes = append(nodes, node(fmt.Sprint("n", i)))
		}
		count := map[string]int{}
		r := Request{Group: "g", Room: spot.Room{spot.Memory: 1}}
		for range rapid.IntRange(0, 100).Draw(t, "instances") {
			name, err := Choose(nodes, r)
			if err != nil {
				t.Fatal(err)
			}
			count[name]++
			bind(nodes, name, r)
		}
		low, high := 1<<30, 0
		for _, n := range nodes {
			low, high = min(low, count[n.Name]), max(high, count[n.Name])
		}
		if high-low > 1 {
			t.Fatalf("spread as %v", count)
		}
	})
}
