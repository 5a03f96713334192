package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// A roll that fails is held where that was asked for: the older members stay,
// nothing more of the new template is tried, and scaling and healing go on.
func TestHeldRoll(t *testing.T) {
	w := newWorld(api.GroupSpec{Desired: 3, Update: api.UpdatePolicy{Hold: 2}})
	w.settle(t, 10)
	w.pass(time.Minute)
	w.broken[2] = true
	w.revise(2)
	for range 200 {
		w.decide()
		if n := w.count(func(m Member) bool { return m.Revision == 1 && m.ready(w.now, 0) }); n < 3 {
			t.Fatalf("%d of 3 older ones left", n)
		}
		w.pass(time.Second)
	}
	st := w.group.Status
	if st.Held != 2 || st.Phase != api.GroupFailing || !strings.Contains(st.Reason, "held") {
		t.Errorf("status %+v", st)
	}
	if n := w.made - 3; n != 2 {
		t.Errorf("%d of the new template were tried, want 2", n)
	}
	// An older one that ends is replaced meanwhile; the number is followed.
	w.broken[2] = false
	w.members[0].Phase = api.PhaseStopped
	w.group.Spec.Desired = 4
	for range 120 {
		w.decide()
		w.pass(time.Second)
	}
	if n := w.ready(); n != 4 || w.group.Status.Held != 2 {
		t.Errorf("%d ready of 4, %+v", n, w.group.Status)
	}
	// Resumed, it goes on.
	w.group.Status.Held, w.group.Status.Failures, w.group.Status.NextTry = 0, 0, time.Time{}
	w.settle(t, 60)
	if n := w.count(func(m Member) bool { return m.Revision == 2 }); n != 4 {
		t.Errorf("%d of 4 rolled", n)
	}
}

// A template ends the hold of the one before.
func TestRevisionEndsTheHold(t *testing.T) {
	g := api.Group{Revisions: []api.GroupRevision{{Number: 1}}, Status: api.GroupStatus{Held: 1, Failures: 3}}
	if n, changed := Revise(&g, api.InstanceSpec{Image: "b"}, "sha256:b", time.Now()); n != 2 || !changed || g.Status.Held != 0 {
		t.Errorf("revision %d, %+v", n, g.Status)
	}
}

// A return is rolled out by its own policy: all at once here, one by one on the
// way there.
func TestReturnPolicy(t *testing.T) {
	most, none := 4, 0
	w := newWorld(api.GroupSpec{Desired: 4, Update: api.UpdatePolicy{MaxSurge: &none, MaxUnavailable: 1, Return: &api.ReturnPolicy{MaxSurge: &most}}})
	w.settle(t, 20)
	w.pass(time.Minute)
	if w.group.Revisions = append(w.group.Revisions, api.GroupRevision{Number: 2}); Returning(&w.group) {
		t.Error("a new revision is taken for a return")
	}
	if p := w.decide(); len(p.Remove) != 1 || len(p.Create) != 1 {
		t.Fatalf("on the way there: %+v", p)
	}
	w.settle(t, 60)
	w.group.Revisions = []api.GroupRevision{{Number: 2}, {Number: 1}}
	if !Returning(&w.group) {
		t.Error("a return is not taken for one")
	}
	if p := w.decide(); len(p.Remove) != 0 || len(p.Create) != 4 {
		t.Fatalf("on the way back: %+v", p)
	}
	w.settle(t, 60)
}

// Who goes first when there are too many, by one reason after another.
func TestLeavingOrder(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	member := func(id, node string, age int, change func(*Member)) Member {
		at := now.Add(-time.Duration(age) * time.Hour)
		m := Member{ID: id, Revision: 3, Node: node, Created: at, Started: at, Phase: api.PhaseRunning}
		if change != nil {
			change(&m)
		}
		return m
	}
	spot := func(m *Member) { m.Spot = true }
	old := func(revision int) func(*Member) { return func(m *Member) { m.Revision = revision } }
	for _, tt := range []struct {
		name    string
		spec    api.GroupSpec
		members []Member
		want    []string
	}{
		{"the newest", api.GroupSpec{Desired: 1}, []Member{member("a", "n", 3, nil), member("b", "n", 1, nil), member("c", "n", 2, nil)}, []string{"b", "c"}},
		{"the oldest", api.GroupSpec{Desired: 1, ScaleIn: "oldest"}, []Member{member("a", "n", 3, nil), member("b", "n", 1, nil), member("c", "n", 2, nil)}, []string{"a", "c"}},
		{"not serving", api.GroupSpec{Desired: 2}, []Member{member("a", "n", 3, func(m *Member) { m.Phase = api.PhaseStarting }), member("b", "n", 1, nil), member("c", "n", 2, nil)}, []string{"a"}},
		{"protected", api.GroupSpec{Desired: 1}, []Member{member("a", "n", 3, nil), member("b", "n", 1, func(m *Member) { m.Protected = true }), member("c", "n", 2, nil)}, []string{"c", "a"}},
		{"the fullest node, again and again", api.GroupSpec{Desired: 2}, []Member{
			member("a", "x", 9, nil), member("b", "x", 8, nil), member("c", "x", 7, nil), member("d", "y", 1, nil), member("e", "y", 2, nil),
		}, []string{"c", "d", "b"}},
		{"the oldest template", api.GroupSpec{Desired: 2, Update: api.UpdatePolicy{MaxUnavailable: 3, MaxSurge: new(int)}}, []Member{
			member("a", "n", 1, old(2)), member("b", "n", 2, old(1)), member("c", "n", 3, nil), member("d", "n", 4, nil),
		}, []string{"a", "b"}},
		{"what there is too much of", api.GroupSpec{Desired: 2, Template: api.InstanceSpec{Spot: &api.Spot{}}, Purchase: &api.Purchase{OnDemandBase: 1}}, []Member{
			member("a", "n", 1, nil), member("b", "n", 5, spot), member("c", "n", 2, nil), member("d", "n", 6, spot),
		}, []string{"a", "b"}},
		{"the last ordinal", api.GroupSpec{Desired: 1, Stateful: true}, []Member{
			member("a", "n", 9, nil), member("b", "n", 1, func(m *Member) { m.Ordinal = 2 }), member("c", "n", 2, func(m *Member) { m.Ordinal = 1 }),
		}, []string{"b", "c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := api.Group{Spec: tt.spec, Revisions: []api.GroupRevision{{Number: 1}, {Number: 2}, {Number: 3}}}
			var got []string
			for _, r := range Decide(g, tt.members, now).Remove {
				got = append(got, r.ID)
			}
			if tt.name == "the oldest template" {
				slices.Sort(got) // a roll retires both
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v leave, want %v", got, tt.want)
			}
		})
	}
}

// The members of a node that is lost are replaced at once and together, which
// is no failure of the template's; what can exist only once is not made again
// while nobody knows whether it runs.
func TestLostNode(t *testing.T) {
	for _, stateful := range []bool{false, true} {
		t.Run(fmt.Sprint("stateful ", stateful), func(t *testing.T) {
			w := newWorld(api.GroupSpec{Desired: 4, Stateful: stateful})
			w.settle(t, 30)
			lost := map[string]bool{}
			for i := range w.members {
				if w.members[i].Node = "a"; i%2 == 0 {
					w.members[i].Node, w.members[i].Lost = "b", true
					lost[w.members[i].ID] = true
				}
			}
			p := w.decide()
			made := map[bool]int{false: 2, true: 0}[stateful]
			if len(p.Remove) != 2 || len(p.Create) != made || p.Status.Failures != 0 {
				t.Fatalf("plan %+v", p)
			}
			for _, r := range p.Remove {
				if !lost[r.ID] || r.Reason != "its node b is lost" {
					t.Errorf("removal %+v", r)
				}
			}
			// Nobody there removes them: they stay as they are.
			for range 30 {
				again := w.decide()
				if len(again.Remove) != 0 || len(again.Create) != 0 {
					t.Fatalf("a second answer: %+v", again)
				}
				for i := range w.members {
					if m := &w.members[i]; m.Phase == api.PhaseStarting {
						m.Phase, m.Started = api.PhaseRunning, w.now
					}
				}
				w.now = w.now.Add(time.Second)
			}
			if n := w.ready(); n != 2+made {
				t.Errorf("%d serve", n)
			}
			w.settle(t, 60) // the node is back, and has removed them
			if n := w.ready(); n != 4 {
				t.Errorf("%d of 4 serve", n)
			}
		})
	}
}
