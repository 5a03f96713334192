package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// cut is a daemon's way to a shared backend, which can be cut off: then
// nothing that it asks for is answered.
type cut struct {
	backend
	off  atomic.Bool
	lose atomic.Bool // commits are made, and their answers lost
}

func (c *cut) commit(ctx context.Context, ops ...op) (int64, error) {
	if c.off.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	rev, err := c.backend.commit(ctx, ops...)
	if c.lose.Load() {
		return 0, errors.New("no answer")
	}
	return rev, err
}

func (c *cut) get(ctx context.Context, key string) (entry, bool, error) {
	if c.off.Load() {
		<-ctx.Done()
		return entry{}, false, ctx.Err()
	}
	return c.backend.get(ctx, key)
}

// stage notes who acts, and fails when two do.
type stage struct {
	t  *testing.T
	mu sync.Mutex

	now  string
	seen []string
}

func (s *stage) act(name string) func(context.Context) {
	return func(ctx context.Context) {
		s.mu.Lock()
		if s.now != "" {
			s.t.Errorf("%s acts while %s does", name, s.now)
		}
		s.now = name
		s.seen = append(s.seen, name)
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		s.now = ""
		s.mu.Unlock()
	}
}

func (s *stage) acting() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// daemon is one of several on a store.
type leaseDaemon struct {
	*cut
	end  context.CancelFunc
	done chan struct{}
}

func (s *stage) daemon(b backend, name string, alone bool) *leaseDaemon {
	d := &leaseDaemon{cut: &cut{backend: b}, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(s.t.Context())
	d.end = cancel
	l := Lease{Store: &Store{backend: d.cut}, Name: "controllers", Holder: name, Alone: alone, Log: slog.New(slog.DiscardHandler)}
	go func() { defer close(d.done); l.Hold(ctx, s.act(name)) }()
	return d
}

func (d *leaseDaemon) stop() { d.end(); <-d.done }

func TestOneHolderAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := &stage{t: t}, newMemory()
		first := s.daemon(b, "a", false)
		synctest.Wait()
		second := s.daemon(b, "b", false)
		time.Sleep(time.Minute)
		if s.acting() != "a" {
			t.Fatalf("%q acts after a minute, want the first", s.acting())
		}
		first.stop() // gives the lease back
		time.Sleep(leaseRenewed + time.Millisecond)
		if s.acting() != "b" {
			t.Fatalf("%q acts after the first has ended", s.acting())
		}
		second.stop()
	})
}

// One that is cut off stops before another one begins; it is no holder when it
// is back.
func TestHolderThatIsCutOffStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := &stage{t: t}, newMemory()
		first := s.daemon(b, "a", false)
		synctest.Wait()
		second := s.daemon(b, "b", false)
		time.Sleep(10 * time.Second)
		first.off.Store(true)
		time.Sleep(leaseTrusted + leaseRenewed/2)
		if s.acting() != "" {
			t.Fatalf("%q acts although nobody can renew", s.acting())
		}
		time.Sleep(leaseExpired)
		if s.acting() != "b" {
			t.Fatalf("%q acts after the lease has expired", s.acting())
		}
		first.off.Store(false)
		time.Sleep(time.Minute)
		if s.acting() != "b" || !slices.Equal(s.seen, []string{"a", "b"}) {
			t.Fatalf("%q acts, %v did", s.acting(), s.seen)
		}
		first.stop()
		second.stop()
	})
}

// A renewal whose answer was lost is the holder's own.
func TestLostAnswerIsNoLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := &stage{t: t}, newMemory()
		d := s.daemon(b, "a", false)
		time.Sleep(leaseRenewed / 2)
		d.lose.Store(true)
		time.Sleep(leaseRenewed)
		d.lose.Store(false)
		time.Sleep(time.Minute)
		if s.acting() != "a" || len(s.seen) != 1 {
			t.Errorf("%q acts, %v did", s.acting(), s.seen)
		}
		d.stop()
	})
}

// Who has the store alone does not wait for what was there before.
func TestAloneTakesTheLeaseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := &stage{t: t}, newMemory()
		for _, name := range []string{"a", "b"} {
			began := time.Now()
			d := s.daemon(b, name, true)
			synctest.Wait()
			if s.acting() != name || time.Since(began) > 0 {
				t.Errorf("%q acts after %s", s.acting(), time.Since(began))
			}
			d.stop()
		}
	})
}

// Many daemons that are cut off at random never act together, and someone
// always acts in the end.
func TestLeaseUnderPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := &stage{t: t}, newMemory()
		var all []*leaseDaemon
		for i := range 4 {
			all = append(all, s.daemon(b, fmt.Sprint(i), false))
		}
		for round := range 200 {
			d := all[(round*7+round/5)%len(all)]
			d.off.Store(!d.off.Load())
			time.Sleep(time.Duration(round%11) * 700 * time.Millisecond)
		}
		for _, d := range all {
			d.off.Store(false)
		}
		time.Sleep(2 * leaseExpired)
		if s.acting() == "" || len(s.seen) < 5 {
			t.Errorf("%q acts in the end, %d did", s.acting(), len(s.seen))
		}
		for _, d := range all {
			d.stop()
		}
	})
}
