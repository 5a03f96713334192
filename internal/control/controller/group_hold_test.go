package controller

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
)

// A roll that fails is held though the controller is killed at any of its
// writes: the older members serve on, and the history says so once.
func TestHeldRollSurvivesDeathAtEveryWrite(t *testing.T) {
	for _, before := range []bool{false, true} {
		for n := 1; ; n++ {
			c := newCloud(t, api.GroupSpec{Desired: 2, Update: api.UpdatePolicy{Hold: 2}})
			c.settle()
			c.broken, c.floor, c.ceiling = "bad", 2, 3
			c.revise("bad")
			c.writes.left, c.writes.before = n, before
			for range 60 {
				c.step()
			}
			reached := c.writes.left < 0
			c.writes.left = -1
			g := c.group()
			told := 0
			for _, h := range g.Status.History {
				if strings.Contains(h.Message, "is held") {
					told++
				}
			}
			if g.Status.Held != 2 || g.Status.Phase != api.GroupFailing || told != 1 {
				t.Fatalf("killed at write %d: told %d times, %+v", n, told, g.Status)
			}
			if !reached {
				break
			}
			if n > 200 {
				t.Fatal("the failures of a roll of two have more than 200 writes")
			}
		}
	}
}

// meddling has somebody else change the group before the controller's first
// write of it.
type meddling struct {
	Writes
	meddle func()
}

func (m *meddling) once() {
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
}

func (m *meddling) Update(ctx context.Context, id string, change func(*api.Group) error) error {
	m.once()
	return m.Writes.Update(ctx, id, change)
}

func (m *meddling) Observe(id string, change func(*api.Group)) error {
	m.once()
	return m.Writes.Observe(id, change)
}

// A roll that the user resumes while the controller plans is resumed: what was
// planned before is not written over it.
func TestResumeIsNotOverwritten(t *testing.T) {
	c := newCloud(t, api.GroupSpec{Desired: 2, Update: api.UpdatePolicy{Hold: 2}})
	c.settle()
	c.broken = "bad"
	c.revise("bad")
	for range 60 {
		c.step()
	}
	if g := c.group(); g.Status.Held != 2 {
		t.Fatalf("not held: %+v", g.Status)
	}
	resume := func() {
		c.change(func(g *api.Group) {
			g.Status.Held, g.Status.Failures, g.Status.NextTry = 0, 0, time.Time{}
		})
	}
	// An older member ends, so that there is something to be written.
	c.broken = ""
	for _, in := range c.store.Instances.Views() {
		if in.GroupRevision == 1 && !control.Leaving(in) {
			if err := c.store.Instances.Observe(in.ID, func(i *api.Instance) { i.Status.Phase = api.PhaseStopped }); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	c.groups.Writes = &meddling{c.writes, resume}
	c.step()
	if g := c.group(); g.Status.Held != 0 {
		t.Fatalf("held again by an older plan: %+v", g.Status)
	}
	c.settle()
	for _, in := range c.store.Instances.Views() {
		if in.GroupRevision != 2 && !control.Leaving(in) {
			t.Errorf("%s is of revision %d", in.Name, in.GroupRevision)
		}
	}
}

// A group that the user takes back while the controller plans for the failing
// revision is taken back: no count and no phase of that revision outlives it.
func TestUndoIsNotOverwritten(t *testing.T) {
	for failures := 3; failures < 8; failures++ {
		c := newCloud(t, api.GroupSpec{Desired: 2})
		c.settle()
		c.broken = "bad"
		c.revise("bad")
		for c.group().Status.Failures < failures {
			c.step()
		}
		// The next one starts: a number that is counted, nothing is decided.
		c.broken = ""
		for started := false; !started; {
			c.step()
			for _, in := range c.store.Instances.Views() {
				started = started || in.GroupRevision == 2 && in.Status.Phase == api.PhaseRunning
			}
		}
		m := &meddling{c.writes, func() {
			c.change(func(g *api.Group) {
				if _, err := group.Return(g, 1, c.now); err != nil {
					t.Fatal(err)
				}
				g.Status.Phase, g.Status.Current = api.GroupRolling, 0
			})
		}}
		c.groups.Writes = m
		if _, err := c.groups.Step(t.Context(), c.id); err != nil {
			t.Fatal(err)
		}
		if g := c.group(); m.meddle != nil || g.Status.Failures != 0 || g.Status.Phase != api.GroupRolling {
			t.Fatalf("after %d failures, the older plan is written over the return: %+v", failures, g.Status)
		}
	}
}
