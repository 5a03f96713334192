package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/virga-cloud/virga/api"
)

func instance(id, name string) *api.Instance {
	return &api.Instance{
		Meta: api.Meta{ID: id, Name: name, Project: api.DefaultProject, Labels: map[string]string{"a": "b"}},
		Spec: api.InstanceSpec{Image: "virga/hello", Env: []string{"A=B"}},
	}
}

func TestCloneSharesNothing(t *testing.T) {
	code := 3
	a := instance("x", "y")
	a.Status.ExitCode = &code
	a.Spec.Health = &api.HealthCheck{Test: []string{"CMD", "true"}}
	b := clone(a)
	if d := cmp.Diff(a, b); d != "" {
		t.Fatal(d)
	}
	b.Labels["a"], b.Spec.Env[0], *b.Status.ExitCode, b.Spec.Health.Test[0] = "", "", 0, ""
	if a.Labels["a"] != "b" || a.Spec.Env[0] != "A=B" || code != 3 || a.Spec.Health.Test[0] != "CMD" {
		t.Errorf("the original changed: %+v", a)
	}
}

func BenchmarkRead(b *testing.B) {
	s := Memory()
	i := instance("x", "y")
	if err := s.Instances.Create(b.Context(), i); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Instances.ByID("x"); err != nil {
			b.Fatal(err)
		}
	}
}

// each runs a test against every backend.
func each(t *testing.T, f func(t *testing.T, reopen func(*Store) *Store)) {
	t.Run("memory", func(t *testing.T) {
		f(t, func(s *Store) *Store {
			if s != nil {
				return s
			}
			return Memory()
		})
	})
	t.Run("etcd", func(t *testing.T) {
		dir := t.TempDir()
		var last *Store
		f(t, func(s *Store) *Store {
			if s != nil {
				must(t, s.Close())
			}
			last = openTest(t, dir)
			return last
		})
		must(t, last.Close())
	})
}

func TestCreate(t *testing.T) {
	each(t, func(t *testing.T, reopen func(*Store) *Store) {
		ctx, s := t.Context(), reopen(nil)
		i := instance("aaaa1", "web")
		must(t, s.Instances.Create(ctx, i))
		if i.Revision == 0 {
			t.Error("revision not set")
		}
		if err := s.Instances.Create(ctx, instance("aaaa2", "web")); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("taken name: %v", err)
		}
		must(t, s.Instances.Create(ctx, instance("aaab3", "db")))
		s = reopen(s)
		for ref, want := range map[string]string{"web": "aaaa1", "aaaa1": "aaaa1", "aaaa": "aaaa1", "aaab": "aaab3"} {
			got, err := s.Instances.Find(api.DefaultProject, ref)
			if err != nil || got.ID != want {
				t.Errorf("find %s: %v, %v", ref, got, err)
			}
		}
		for ref, want := range map[string]api.Code{"aaa": api.CodeConflict, "": api.CodeNotFound, "zz": api.CodeNotFound} {
			if _, err := s.Instances.Find(api.DefaultProject, ref); api.CodeOf(err) != want {
				t.Errorf("find %q: %v, want %s", ref, err, want)
			}
		}
		if _, err := s.Instances.Find("other", "web"); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("another project's instance: %v", err)
		}
		got, err := s.Instances.ByName(api.DefaultProject, "web")
		must(t, err)
		if d := cmp.Diff(*i, got); d != "" {
			t.Error(d)
		}
	})
}

func TestNamesAreUnique(t *testing.T) {
	each(t, func(t *testing.T, reopen func(*Store) *Store) {
		s := reopen(nil)
		var won atomic.Int32
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				err := s.Instances.Create(t.Context(), instance(fmt.Sprint("i", n), "only"))
				if err == nil {
					won.Add(1)
				} else if api.CodeOf(err) != api.CodeConflict {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d creates won", won.Load())
		}
		if n := len(reopen(s).Instances.Views()); n != 1 {
			t.Errorf("%d instances", n)
		}
	})
}

func TestRename(t *testing.T) {
	each(t, func(t *testing.T, reopen func(*Store) *Store) {
		ctx, s := t.Context(), reopen(nil)
		must(t, s.Instances.Create(ctx, instance("i1", "one")))
		must(t, s.Instances.Create(ctx, instance("i2", "two")))
		rename := func(to string) error {
			_, err := s.Instances.Update(ctx, "i1", func(i *api.Instance) error { i.Name = to; return nil })
			return err
		}
		if err := rename("two"); api.CodeOf(err) != api.CodeConflict {
			t.Errorf("taken name: %v", err)
		}
		must(t, rename("three"))
		must(t, s.Instances.Create(ctx, instance("i3", "one")))
		s = reopen(s)
		for name, id := range map[string]string{"one": "i3", "two": "i2", "three": "i1"} {
			if i, err := s.Instances.ByName(api.DefaultProject, name); err != nil || i.ID != id {
				t.Errorf("%s is %s, %v", name, i.ID, err)
			}
		}
	})
}

func TestUpdatesOfOneObjectAllCount(t *testing.T) {
	each(t, func(t *testing.T, reopen func(*Store) *Store) {
		ctx, s := t.Context(), reopen(nil)
		must(t, s.Instances.Create(ctx, instance("i1", "one")))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := s.Instances.Update(ctx, "i1", func(i *api.Instance) error { i.Desired.Life++; return nil })
				if err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if err := s.Instances.Observe("i1", func(i *api.Instance) { i.Status.Restarts++ }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		must(t, s.Instances.Flush(ctx, "i1"))
		i, err := reopen(s).Instances.ByID("i1")
		must(t, err)
		if i.Desired.Life != 20 || i.Status.Restarts != 20 {
			t.Errorf("life %d, restarts %d, want 20", i.Desired.Life, i.Status.Restarts)
		}
	})
}

func TestUpdateErrorChangesNothing(t *testing.T) {
	s, stop := Memory(), errors.New("stop")
	must(t, s.Instances.Create(t.Context(), instance("i1", "one")))
	_, err := s.Instances.Update(t.Context(), "i1", func(i *api.Instance) error { i.Node = "x"; return stop })
	if i, _ := s.Instances.ByID("i1"); err != stop || i.Node != "" {
		t.Errorf("%v, %+v", err, i)
	}
}

func TestDeleteRacingUpdateDoesNotResurrect(t *testing.T) {
	each(t, func(t *testing.T, reopen func(*Store) *Store) {
		ctx, s := t.Context(), reopen(nil)
		for n := range 30 {
			id := fmt.Sprint("i", n)
			must(t, s.Instances.Create(ctx, instance(id, id)))
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					_, err := s.Instances.Update(ctx, id, func(i *api.Instance) error { i.Name = id + "-new"; i.Desired.Life++; return nil })
					if err != nil && api.CodeOf(err) != api.CodeNotFound {
						t.Error(err)
					}
				})
				wg.Go(func() { _ = s.Instances.Observe(id, func(i *api.Instance) { i.Status.Life++ }) })
			}
			wg.Go(func() { must(t, s.Instances.Delete(ctx, id)) })
			wg.Wait()
		}
		if n := len(s.Instances.Views()); n != 0 {
			t.Errorf("%d instances in the cache", n)
		}
		s = reopen(s)
		if n := len(s.Instances.Views()); n != 0 {
			t.Errorf("%d instances in the backend", n)
		}
		for n := range 30 { // neither may a name be left behind
			must(t, s.Instances.Create(ctx, instance(fmt.Sprint("j", n), fmt.Sprint("i", n))))
			must(t, s.Instances.Create(ctx, instance(fmt.Sprint("k", n), fmt.Sprint("i", n, "-new"))))
		}
	})
}

func TestWatchAndAwait(t *testing.T) {
	each(t, func(t *testing.T, reopen func(*Store) *Store) {
		ctx, s := t.Context(), reopen(nil)
		watched, cancel := context.WithCancel(ctx)
		c := s.Instances.Watch(watched)
		must(t, s.Instances.Create(ctx, instance("i1", "one")))
		running := make(chan error, 1)
		go func() {
			_, err := s.Instances.Await(ctx, "i1", func(i *api.Instance) bool { return i.Status.Phase == api.PhaseRunning })
			running <- err
		}()
		must(t, s.Instances.Observe("i1", func(i *api.Instance) { i.Status.Phase = api.PhaseRunning }))
		must(t, recv(t, running))
		removed := make(chan error, 1)
		go func() {
			_, err := s.Instances.Await(ctx, "i1", func(*api.Instance) bool { return false })
			removed <- err
		}()
		must(t, s.Instances.Delete(ctx, "i1"))
		if err := recv(t, removed); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("await of a deleted object: %v", err)
		}
		for range 3 {
			if got := recv(t, c); got.ID != "i1" {
				t.Errorf("watched %q", got.ID)
			}
		}
		cancel()
		for range c {
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		must(t, s.Instances.Create(ctx, instance("i2", "two")))
		if _, err := s.Instances.Await(ended, "i2", func(*api.Instance) bool { return false }); !errors.Is(err, context.Canceled) {
			t.Errorf("await with an ended context: %v", err)
		}
	})
}

func TestSlowWatcherIsDropped(t *testing.T) {
	s := Memory()
	c := s.Instances.Watch(t.Context())
	must(t, s.Instances.Create(t.Context(), instance("i1", "one")))
	for range watchBuffer + 1 {
		must(t, s.Instances.Observe("i1", func(i *api.Instance) {}))
	}
	n := 0
	for range c {
		n++
	}
	if n != watchBuffer {
		t.Errorf("%d changes before the end", n)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func recv[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func openTest(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	must(t, err)
	return s
}
