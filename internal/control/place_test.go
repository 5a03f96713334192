package control

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// placed creates instances of one kind after another, and returns the error of
// the first that was refused.
func placed(t *testing.T, a *Admission, n int, change func(*Creation)) error {
	t.Helper()
	for range n {
		c := ask(t, "0.1/64m")
		change(&c)
		in, err := a.Create(t.Context(), c)
		if err != nil {
			return err
		}
		if in.Node != "n1" {
			t.Errorf("bound to %q", in.Node)
		}
	}
	return nil
}

func TestPlacementIsHonoured(t *testing.T) {
	a := admission(t, machine(4, 8*gib, 10))
	a.Labels = map[string]string{"zone": "a", api.NodeLabelName: "n1"}
	in := func(p api.Placement, labels ...string) func(*Creation) {
		return func(c *Creation) {
			c.Group, c.Spec.Placement, c.Labels = "web", &p, map[string]string{}
			for _, l := range labels {
				c.Labels[l] = "yes"
			}
		}
	}
	for _, tt := range []struct {
		what   string
		n      int
		change func(*Creation)
		want   string // in the error, "" for none
	}{
		{"no placement", 1, func(*Creation) {}, ""},
		{"a condition that holds", 1, in(api.Placement{Nodes: []string{"zone=a", "virga.node=n1", "disk!=slow"}}), ""},
		{"one that does not", 1, in(api.Placement{Nodes: []string{"zone=b"}}), "1 node not zone=b"},
		{"one that is not to hold", 1, in(api.Placement{Nodes: []string{"zone!=a"}}), "1 node not zone!=a"},
		{"too many of a group", 2, in(api.Placement{MaxPerNode: 2}), "2 of web already"},
		{"beside itself", 1, in(api.Placement{With: []string{"noisy=yes"}}, "noisy"), ""},
		{"beside who is there", 1, in(api.Placement{With: []string{"noisy=yes"}}), ""},
		{"beside nobody", 1, in(api.Placement{With: []string{"quiet=yes"}}), "not beside quiet=yes"},
		{"apart from who is there", 1, in(api.Placement{Apart: []string{"noisy=yes"}}), "beside noisy=yes"},
		{"apart from nobody", 1, in(api.Placement{Apart: []string{"quiet=yes"}}), ""},
		{"packed", 1, in(api.Placement{Strategy: "pack"}), ""},
	} {
		err := placed(t, a, tt.n, tt.change)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
		if e, ok := errors.AsType[*api.Error](err); ok && (e.Code != api.CodeInsufficientCapacity || e.Field != "spec.placement" || e.Hint == "") {
			t.Errorf("%s: %+v", tt.what, e)
		}
	}
}

// What is short is told as without a placement, and room that spot instances
// have is room to wait for.
func TestPlacementAndRoom(t *testing.T) {
	a := admission(t, machine(4, 8*gib, 10))
	a.Prices = &Prices{Store: a.Store, Node: a.Node}
	a.Labels = map[string]string{"zone": "a"}
	there := &api.Placement{Nodes: []string{"zone=a"}}
	big := ask(t, "0/7g")
	big.Spec.Spot = &api.Spot{}
	big.Spec.Placement = there
	if _, err := a.Create(t.Context(), big); err != nil {
		t.Fatal(err)
	}
	waits := ask(t, "0/2g")
	waits.Spec.Placement = there
	in, err := a.Create(t.Context(), waits)
	if err != nil || in.Desired.Waits == nil || in.Node != "n1" {
		t.Fatalf("%+v, %v", in, err)
	}
	waits.Spec.Spot = &api.Spot{}
	if _, err := a.Create(t.Context(), waits); err == nil || !strings.HasPrefix(err.Error(), "memory: 2 GiB asked") {
		t.Errorf("a spot instance without room: %v", err)
	}
	waits.Start = false
	if _, err := a.Create(t.Context(), waits); err != nil {
		t.Errorf("one that is not started: %v", err)
	}
}

// Those who leave make their place free, those of another group or project do
// not count.
func TestPlacementCountsWhoStays(t *testing.T) {
	a := admission(t, machine(4, 8*gib, 10))
	one := func(group, project string) func(*Creation) {
		return func(c *Creation) {
			c.Group, c.Project = group, project
			c.Spec.Placement = &api.Placement{MaxPerNode: 1}
		}
	}
	for _, c := range []func(*Creation){one("web", "default"), one("app", "default"), one("web", "other")} {
		if err := placed(t, a, 1, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := placed(t, a, 1, one("web", "default")); err == nil {
		t.Fatal("a second one was let in")
	}
	for _, in := range a.Store.Instances.Views() {
		if _, err := a.Store.Instances.Update(t.Context(), in.ID, func(i *api.Instance) error {
			i.Spec.AutoRemove, i.Desired.State = true, api.DesiredStopped
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := placed(t, a, 1, one("web", "default")); err != nil {
		t.Errorf("in the place of one that leaves: %v", err)
	}
}

// However many ask at once, no more are let in than may be.
func TestPlacementOfManyAtOnce(t *testing.T) {
	a := admission(t, machine(4, 8*gib, 10))
	var in atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			c := ask(t, "0/0")
			c.Group, c.Spec.Placement = "web", &api.Placement{MaxPerNode: 3}
			if _, err := a.Create(t.Context(), c); err == nil {
				in.Add(1)
			} else if api.CodeOf(err) != api.CodeInsufficientCapacity {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 3 || len(a.Store.Instances.Views()) != 3 {
		t.Errorf("%d were let in", in.Load())
	}
}

func TestBadPlacements(t *testing.T) {
	for field, p := range map[string]api.Placement{
		"spec.placement.nodes[1]":   {Nodes: []string{"a=b", "zone"}},
		"spec.placement.strategy":   {Strategy: "scatter"},
		"spec.placement.maxPerNode": {MaxPerNode: -1},
		"spec.placement.over":       {Over: "a b"},
		"spec.placement.with[0]":    {With: []string{"a!=b"}},
		"spec.placement.apart[0]":   {Apart: []string{"a"}},
		"spec.placement.nodes":      {Nodes: make([]string, 65)},
	} {
		err := ValidateSpec(&api.InstanceSpec{Image: "i", Placement: &p})
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Field != field {
			t.Errorf("%+v: %v, want %s", p, err, field)
		}
	}
}
