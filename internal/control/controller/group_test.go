package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
	"github.com/virga-cloud/virga/internal/control/store"
)

// errKilled is the end of the controller's process.
var errKilled = errors.New("killed")

// mortal makes the writes until its life is over. written is called after each.
type mortal struct {
	Writes
	left    int // writes to go; negative is for ever
	before  bool
	written func()
}

func (m *mortal) write(do func() error) error {
	if m.left == 0 || m.left == 1 && m.before {
		m.left = 0
		return errKilled
	}
	err := do()
	m.left--
	m.written()
	if m.left == 0 {
		return errKilled
	}
	return err
}

func (m *mortal) Create(ctx context.Context, c control.Creation) (in *api.Instance, err error) {
	err = m.write(func() (err error) { in, err = m.Writes.Create(ctx, c); return err })
	return in, err
}

func (m *mortal) Member(ctx context.Context, id string, change func(*api.Instance) error) error {
	return m.write(func() error { return m.Writes.Member(ctx, id, change) })
}

func (m *mortal) Apply(ctx context.Context, id string, change func(*api.Instance) error) error {
	return m.write(func() error { return m.Writes.Apply(ctx, id, change) })
}

func (m *mortal) Update(ctx context.Context, id string, change func(*api.Group) error) error {
	return m.write(func() error { return m.Writes.Update(ctx, id, change) })
}

func (m *mortal) Observe(id string, change func(*api.Group)) error {
	return m.write(func() error { return m.Writes.Observe(id, change) })
}

func (m *mortal) Delete(ctx context.Context, id string) error {
	return m.write(func() error { return m.Writes.Delete(ctx, id) })
}

type fakeImages struct{}

func (fakeImages) Inspect(_ context.Context, name string) (api.Image, error) {
	if name == "missing" {
		return api.Image{}, api.Errorf(api.CodeNotFound, "no image")
	}
	return api.Image{ID: "sha256:" + name}, nil
}

// cloud is a store with a node that needs one second for everything, in
// virtual time.
type cloud struct {
	t       *testing.T
	store   *store.Store
	writes  *mortal
	groups  *Groups
	now     time.Time
	id      string
	broken  string // command of instances that end at once
	floor   int    // ready members there must be, once served
	ceiling int    // members there may be
}

func newCloud(t *testing.T, spec api.GroupSpec) *cloud {
	c := &cloud{t: t, store: store.Memory(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ceiling: 1000}
	admission := &control.Admission{Store: c.store, Node: "n1", Images: fakeImages{}, Record: func(api.Event) {}}
	c.writes = &mortal{Writes: StoreWrites{admission}, left: -1, written: c.check}
	spec.Template.Image = "app"
	g := &api.Group{Meta: api.Meta{ID: "g", Name: "web", Project: api.DefaultProject}, Spec: spec}
	group.Revise(g, spec.Template, "sha256:app", c.now)
	if err := c.store.Groups.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	c.id = g.ID
	c.restart()
	return c
}

// restart is a new process of the controller.
func (c *cloud) restart() {
	c.groups = &Groups{Store: c.store, Writes: c.writes, Record: func(api.Event) {},
		Now: func() time.Time { return c.now }, Log: slog.New(slog.DiscardHandler), owners: map[string]string{}}
}

// step lets the controller work until it wants to wait, and then a second pass.
// It starts a controller that was killed anew.
func (c *cloud) step() {
	for range 20 {
		wake, err := c.groups.Step(c.t.Context(), c.id)
		if errors.Is(err, errKilled) {
			c.writes.left = -1
			c.restart()
			continue
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if !wake.Equal(c.now) {
			break
		}
	}
	c.pass()
}

// pass is what the node does in a second.
func (c *cloud) pass() {
	c.now = c.now.Add(time.Second)
	for _, in := range c.store.Instances.Views() {
		_, err := c.store.Instances.Update(c.t.Context(), in.ID, func(in *api.Instance) error {
			st := &in.Status
			switch {
			case in.Desired.State == api.DesiredRunning && st.Life < in.Desired.Life:
				st.Phase, st.Life, st.Started = api.PhaseRunning, in.Desired.Life, c.now
				if len(in.Spec.Command) > 0 && in.Spec.Command[0] == c.broken {
					code := 1
					st.Phase, st.ExitCode = api.PhaseStopped, &code
				}
			case in.Desired.State == api.DesiredStopped && in.Desired.Life > 0:
				st.Phase = api.PhaseStopped
			case in.Desired.State == api.DesiredPaused && st.Phase == api.PhaseRunning:
				st.Phase = api.PhasePaused
			case in.Desired.State == api.DesiredRunning && st.Phase == api.PhasePaused:
				st.Phase = api.PhaseRunning
			}
			return nil
		})
		if err != nil {
			c.t.Fatal(err)
		}
		if control.Leaving(in) && in.Status.Phase.Ended() {
			if err := c.store.Instances.Delete(c.t.Context(), in.ID); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	c.check()
}

// check holds the promises against the store as it is.
func (c *cloud) check() {
	c.t.Helper()
	alive, ready := c.count()
	if alive > c.ceiling {
		c.t.Fatalf("%d members, no more than %d were promised", alive, c.ceiling)
	}
	if ready < c.floor {
		c.t.Fatalf("%d ready, at least %d were promised", ready, c.floor)
	}
}

func (c *cloud) count() (alive, ready int) {
	for _, in := range c.store.Instances.Views() {
		if control.Leaving(in) || in.Warm {
			continue
		}
		alive++
		if in.Status.Phase == api.PhaseRunning {
			ready++
		}
	}
	return alive, ready
}

func (c *cloud) group() *api.Group {
	g, err := c.store.Groups.View(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	return g
}

func (c *cloud) change(change func(*api.Group)) {
	if _, err := c.store.Groups.Update(c.t.Context(), c.id, func(g *api.Group) error { change(g); return nil }); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) revise(command string) {
	c.change(func(g *api.Group) {
		next := g.Spec.Template
		next.Command = []string{command}
		group.Revise(g, next, "sha256:app", c.now)
		g.Status.Phase = api.GroupRolling
	})
}

func (c *cloud) settle() {
	c.t.Helper()
	for range 200 {
		c.step()
		g := c.group()
		if _, ready := c.count(); g.Status.Phase == api.GroupSteady && ready == g.Spec.Desired && g.Status.Current == ready {
			return
		}
	}
	c.t.Fatalf("never steady: %+v", c.group().Status)
}

// The controller is killed before and after each of its writes in a roll, and
// one in the end goes on to the end without breaking a promise.
func TestRollSurvivesDeathAtEveryWrite(t *testing.T) {
	for _, policy := range []api.UpdatePolicy{{}, {MaxSurge: new(int), MaxUnavailable: 2}} {
		for _, before := range []bool{false, true} {
			for n := 1; ; n++ {
				c := newCloud(t, api.GroupSpec{Desired: 4, Update: policy})
				c.settle()
				surge := 1
				if policy.MaxSurge != nil {
					surge = *policy.MaxSurge
				}
				c.floor, c.ceiling = 4-policy.MaxUnavailable, 4+surge
				c.revise("new")
				c.writes.left, c.writes.before = n, before
				c.settle()
				reached := c.writes.left < 0
				for _, in := range c.store.Instances.Views() {
					if in.GroupRevision != 2 && !control.Leaving(in) {
						t.Fatalf("killed at write %d: %s is of revision %d", n, in.Name, in.GroupRevision)
					}
				}
				if !reached {
					break // the roll has fewer writes
				}
				if n > 200 {
					t.Fatal("a roll of four has more than 200 writes")
				}
			}
		}
	}
}

// The members of a node that is lost are replaced, and it is no failure of
// theirs; what the node says of them later does not matter.
func TestMembersOfALostNodeAreReplaced(t *testing.T) {
	c := newCloud(t, api.GroupSpec{Desired: 3})
	c.settle()
	var gone string
	for _, in := range c.store.Instances.Views() {
		gone = in.ID
	}
	if _, err := c.store.Instances.Update(t.Context(), gone, func(i *api.Instance) error { i.Node = "n2"; return nil }); err != nil {
		t.Fatal(err)
	}
	c.groups.Lost = func(node string) bool { return node != "n1" }
	c.step() // it is noticed, and another one made
	if in, err := c.store.Instances.View(gone); err == nil && !control.Leaving(in) {
		t.Errorf("%+v stays", in.Desired)
	}
	c.settle()
	for _, in := range c.store.Instances.Views() {
		if !control.Leaving(in) && in.Node != "n1" {
			t.Errorf("%s is on %s", in.Name, in.Node)
		}
	}
	g := c.group()
	if g.Status.Failures != 0 || g.Status.Ready != 3 {
		t.Errorf("%+v", g.Status)
	}
	said := g.Status.History[len(g.Status.History)-1].Message
	if !strings.HasSuffix(said, "its node n2 is lost") {
		t.Errorf("history says %q", said)
	}
}

// A group with a warm pool grows, killed before and after each write: it never
// has more instances than it should, nor more warm ones, and the pool is full in
// the end.
func TestWarmPoolSurvivesDeathAtEveryWrite(t *testing.T) {
	for _, state := range []api.WarmState{api.WarmStopped, api.WarmPaused} {
		for _, before := range []bool{false, true} {
			for n := 1; n < 30; n++ {
				c := newCloud(t, api.GroupSpec{Desired: 1, Warm: &api.WarmPool{Size: 2, State: state}})
				for range 10 {
					c.step()
				}
				if g := c.group(); g.Status.Warm != 2 {
					t.Fatalf("%d warm", g.Status.Warm)
				}
				c.floor, c.ceiling = 1, 4
				c.change(func(g *api.Group) { g.Spec.Desired = 4 })
				c.writes.left, c.writes.before = n, before
				for range 12 {
					c.step()
				}
				alive, ready := c.count()
				if all := len(c.store.Instances.Views()); alive != 4 || ready != 4 || all != 6 || c.group().Status.Warm != 2 {
					t.Fatalf("killed at write %d: %d instances, %d ready, %d in all, %+v", n, alive, ready, all, c.group().Status)
				}
			}
		}
	}
}

// Removing a group, killed at each write, leaves nothing.
func TestRemovalSurvivesDeathAtEveryWrite(t *testing.T) {
	for n := 1; n < 12; n++ {
		c := newCloud(t, api.GroupSpec{Desired: 3})
		c.settle()
		c.change(func(g *api.Group) { g.Remove = true })
		c.writes.left = n
		for range 20 {
			c.step()
		}
		if g, i := len(c.store.Groups.Views()), len(c.store.Instances.Views()); g+i != 0 {
			t.Fatalf("killed at write %d: %d groups and %d instances are left", n, g, i)
		}
	}
}

func TestRollbackKeepsTheOldInstances(t *testing.T) {
	c := newCloud(t, api.GroupSpec{Desired: 2, Update: api.UpdatePolicy{Rollback: 3}})
	c.settle()
	served := map[string]bool{}
	for _, in := range c.store.Instances.Views() {
		served[in.ID] = true
	}
	c.broken, c.floor = "bad", 2
	c.revise("bad")
	for range 100 {
		c.step()
	}
	g := c.group()
	if g.Status.RolledBack != 2 || g.Status.Phase != api.GroupSteady || len(g.Spec.Template.Command) != 0 {
		t.Fatalf("not rolled back: %+v, template %v", g.Status, g.Spec.Template.Command)
	}
	for _, in := range c.store.Instances.Views() {
		if !served[in.ID] {
			t.Errorf("%s was made anew", in.Name)
		}
	}
	if len(g.Status.History) > 12 {
		t.Errorf("%d lines of history", len(g.Status.History))
	}
}

// What cannot be made is tried again ever less often, and says why.
func TestRefusedInstancesBackOff(t *testing.T) {
	c := newCloud(t, api.GroupSpec{Desired: 2})
	c.change(func(g *api.Group) {
		g.Spec.Template.Image = "missing"
		g.Revisions[0].Template.Image, g.Revisions[0].Image = "missing", ""
	})
	for range 300 {
		c.step()
	}
	g := c.group()
	if g.Status.Phase != api.GroupFailing || g.Status.Reason == "" || g.Status.Failures < 5 || g.Status.Failures > 20 {
		t.Fatalf("status %+v", g.Status)
	}
	if n, _ := c.count(); n != 0 {
		t.Errorf("%d instances", n)
	}
}

func TestStatefulMembersClaimTheirVolumes(t *testing.T) {
	spec := api.GroupSpec{Desired: 2, Stateful: true}
	spec.Template.Mounts = []api.Mount{{Type: api.MountVolume, Source: "data", Target: "/data", Claim: true}}
	c := newCloud(t, spec)
	c.settle()
	for i := range 2 {
		in, err := c.store.Instances.ByName(api.DefaultProject, fmt.Sprintf("web-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := in.Spec.Mounts[0].Source, fmt.Sprintf("data-web-%d", i); got != want || in.Spec.Mounts[0].Claim {
			t.Errorf("mount %+v, want the volume %s", in.Spec.Mounts[0], want)
		}
	}
	if m := c.group().Spec.Template.Mounts[0]; m.Source != "data" || !m.Claim {
		t.Errorf("the template was changed: %+v", m)
	}
}
