package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Lease is the right to act that one of the daemons on a store has. Who wants
// it calls Hold. It is judged by each daemon's own monotonic clock, from when
// it saw the record change last, so that clocks need not agree and a clock
// that is set does no harm.
type Lease struct {
	Store *Store
	// Name is of what is leased, Holder of who asks; no two processes have
	// the same.
	Name, Holder string
	// Alone says that no other process can have the store open: the lease is
	// taken at once, and not renewed.
	Alone bool
	Log   *slog.Logger
}

// A holder renews its lease every leaseRenewed, and acts no longer when it
// could not for leaseTrusted. Others take it when it was not renewed for
// leaseExpired. What lies between the last two is for a step that does not end
// at once; the write of one that still comes later is checked against the
// revision of its object, as all writes are.
const (
	leaseRenewed = time.Second
	leaseTrusted = 3 * time.Second
	leaseExpired = 5 * time.Second
)

// leaseRecord is what the store has of a lease.
type leaseRecord struct {
	Holder string `json:"holder"` // "" when it was given back
	Term   int64  `json:"term"`   // grows when the holder changes
}

// Hold calls do as often as this process becomes the holder, until ctx ends or
// do returns by itself; it then gives the lease back. do is called by one
// holder at a time: its context ends when the lease is lost, and Hold waits
// for it.
func (l Lease) Hold(ctx context.Context, do func(ctx context.Context)) {
	for ctx.Err() == nil {
		t, err := l.win(ctx)
		if err != nil {
			return // ctx ended
		}
		l.Log.Info("lease taken", "lease", l.Name, "holder", l.Holder, "term", t.record.Term)
		if l.serve(ctx, t, do) {
			l.release(ctx, t)
			return
		}
		l.Log.Warn("lease lost", "lease", l.Name, "holder", l.Holder, "term", t.record.Term)
	}
}

// tenure is a lease that was won.
type tenure struct {
	record   leaseRecord
	revision int64     // of the record
	renewed  time.Time // when the last renewal that succeeded began
}

func (l Lease) key() string { return "/virga/leases/" + l.Name }

// win blocks until the lease is this process's; the error is ctx's.
func (l Lease) win(ctx context.Context) (*tenure, error) {
	var seen int64 = -1 // revision of the record
	var since time.Time // when it was seen first
	for {
		t, err := l.ask(ctx, func(revision int64) time.Duration {
			if revision != seen {
				seen, since = revision, time.Now()
			}
			return time.Since(since)
		})
		if t != nil {
			return t, nil
		}
		if err != nil && !errors.Is(err, errConflict) && ctx.Err() == nil {
			l.Log.Error("lease not asked for", "lease", l.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(leaseRenewed):
		}
	}
}

// ask tries once to take the lease: nil without an error is that someone else
// has it. unchanged says for how long a record has been seen as it is.
func (l Lease) ask(ctx context.Context, unchanged func(revision int64) time.Duration) (*tenure, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, leaseTrusted)
	defer cancel()
	record, revision, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	old := unchanged(revision) >= leaseExpired
	if revision != absent && record.Holder != "" && !l.Alone && !old {
		return nil, nil
	}
	t := &tenure{record: leaseRecord{l.Holder, record.Term + 1}, renewed: began}
	if t.revision, err = l.write(ctx, t.record, revision); err != nil {
		return nil, err
	}
	return t, nil
}

// serve calls do and renews the lease meanwhile. It reports whether the end
// was do's own or ctx's, and not that of the lease.
func (l Lease) serve(ctx context.Context, t *tenure, do func(context.Context)) (willing bool) {
	acting, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); do(acting) }()
	defer func() { stop(); <-done }()
	if l.Alone {
		<-done
		return true
	}
	tick := time.NewTicker(leaseRenewed)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return true
		case <-ctx.Done():
			return true
		case <-tick.C:
		}
		if !l.renew(ctx, t) {
			return ctx.Err() != nil
		}
	}
}

// renew tries once, and reports whether the lease may be trusted still.
func (l Lease) renew(ctx context.Context, t *tenure) bool {
	began := time.Now()
	ctx, cancel := context.WithDeadline(ctx, t.renewed.Add(leaseTrusted))
	defer cancel()
	revision, err := l.write(ctx, t.record, t.revision)
	if errors.Is(err, errConflict) {
		// Of a renewal before, whose answer was lost; or someone else's.
		var record leaseRecord
		if record, revision, err = l.read(ctx); err == nil && record != t.record {
			return false
		}
	}
	if err == nil {
		t.revision, t.renewed = revision, began
	}
	return time.Since(t.renewed) < leaseTrusted
}

// release gives the lease back, so that the next one need not wait.
func (l Lease) release(ctx context.Context, t *tenure) {
	if l.Alone {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenewed)
	defer cancel()
	if _, err := l.write(ctx, leaseRecord{Term: t.record.Term}, t.revision); err != nil {
		l.Log.Warn("lease not given back", "lease", l.Name, "error", err)
	}
}

// read returns the record and its revision, absent without one.
func (l Lease) read(ctx context.Context) (r leaseRecord, revision int64, err error) {
	e, ok, err := l.Store.backend.get(ctx, l.key())
	if err != nil || !ok {
		return r, absent, err
	}
	if err := json.Unmarshal(e.value, &r); err != nil {
		return r, e.revision, fmt.Errorf("decode the lease %s: %w", l.Name, err)
	}
	return r, e.revision, nil
}

func (l Lease) write(ctx context.Context, r leaseRecord, when int64) (revision int64, err error) {
	b, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	return l.Store.backend.commit(ctx, op{l.key(), b, when})
}
