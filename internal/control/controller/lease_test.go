package controller

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/group"
	"github.com/virga-cloud/virga/internal/control/store"
)

// counted are writes that are counted by the daemon that makes them.
type counted struct {
	Writes
	mu   sync.Mutex
	made int
}

func (c *counted) Create(ctx context.Context, n control.Creation) (*api.Instance, error) {
	c.mu.Lock()
	c.made++
	c.mu.Unlock()
	return c.Writes.Create(ctx, n)
}

func (c *counted) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Of two daemons' controllers on one store only the lease's holder acts, and
// the other one goes on when it ends.
func TestOnlyTheHolderOfTheLeaseActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.Memory()
		log := slog.New(slog.DiscardHandler)
		daemon := func(name string) (w *counted, end func()) {
			ctx, cancel := context.WithCancel(t.Context())
			w = &counted{Writes: StoreWrites{&control.Admission{Store: st, Node: "n1", Images: fakeImages{}, Record: func(api.Event) {}}}}
			lease := store.Lease{Store: st, Name: "controllers", Holder: name, Log: log}
			done := make(chan struct{})
			go func() {
				defer close(done)
				lease.Hold(ctx, func(ctx context.Context) {
					groups := &Groups{Store: st, Writes: w, Record: func(api.Event) {}, Now: time.Now, Log: log}
					Run(ctx, log, []Controller{groups.Controller()})
				})
			}()
			return w, func() { cancel(); <-done }
		}
		a, endA := daemon("a")
		synctest.Wait()
		b, endB := daemon("b")
		g := &api.Group{Meta: api.Meta{ID: "g", Name: "web", Project: api.DefaultProject}, Spec: api.GroupSpec{Desired: 3, Template: api.InstanceSpec{Image: "app"}}}
		group.Revise(g, g.Spec.Template, "sha256:app", time.Now())
		if err := st.Groups.Create(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if a.count() != 3 || b.count() != 0 {
			t.Fatalf("the holder made %d and the other one %d instances, want 3 and 0", a.count(), b.count())
		}
		endA()
		if _, err := st.Groups.Update(t.Context(), "g", func(g *api.Group) error { g.Spec.Desired = 5; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if a.count() != 3 || b.count() != 2 || len(st.Instances.Views()) != 5 {
			t.Errorf("then %d and %d, and %d in all", a.count(), b.count(), len(st.Instances.Views()))
		}
		endB()
	})
}
