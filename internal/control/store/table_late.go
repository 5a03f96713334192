package store

import (
	"context"
	"errors"
	"time"

	"github.com/virga-cloud/virga/api"
)

// lateBatch is how many objects one late commit stores at most, and lateRetry
// how long it waits after a disk that did not take one.
const (
	lateBatch = 32
	lateRetry = 250 * time.Millisecond
	// lateDelay lets changes gather: a workload that ends at once is then one
	// write and not two, and its removal waits for none.
	lateDelay = 20 * time.Millisecond
)

// Observe applies change to the object as readers and watchers see it at once,
// and stores it soon: changes that follow each other closely share one write.
// It is for what may be observed again after a crash of the daemon, such as a
// health probe or that a workload runs. change may be called more than once
// and must depend on nothing but its argument; it may not change the name. A
// later Update, Delete or Flush of the object includes it.
func (t *Table[T]) Observe(id string, change func(*T)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.objects[id]
	if !ok {
		return t.notFound(id)
	}
	next := clone(o.current)
	change(next)
	o.late = append(o.late, change)
	o.current = next
	t.wake(o)
	t.dirty[o] = empty{}
	if !t.writing && !t.closed {
		t.writing = true
		t.late.Go(t.writeLate)
	}
	return nil
}

// Flush returns when every change the object has is stored.
func (t *Table[T]) Flush(ctx context.Context, id string) error {
	t.mu.RLock()
	o, ok := t.objects[id]
	clean := ok && len(o.late) == 0
	t.mu.RUnlock()
	if clean {
		return nil
	}
	_, err := t.Update(ctx, id, func(*T) error { return nil })
	return err
}

// writeLate stores late changes until there are none.
func (t *Table[T]) writeLate() {
	ctx := context.Background()
	for {
		select {
		case <-t.closing:
		case <-time.After(lateDelay):
		}
		batch := t.lateBases()
		if len(batch) == 0 {
			return
		}
		err := t.writeBatch(ctx, batch)
		if err == nil {
			continue
		}
		t.log.Error("status not stored, will try again", "err", err)
		select {
		case <-t.closing:
			return
		case <-time.After(lateRetry):
		}
	}
}

// lateBases takes the next batch, write-locked; with none, the writer is done.
func (t *Table[T]) lateBases() []base[T] {
	t.mu.Lock()
	var waitFor *object[T]
	batch := make([]base[T], 0, min(len(t.dirty), lateBatch))
	for o := range t.dirty {
		if len(batch) == lateBatch {
			break
		}
		if !o.write.TryLock() {
			waitFor = o // a change is under way that may take the late ones along
			continue
		}
		batch = append(batch, base[T]{o, o.current, o.revision, len(o.late)})
	}
	t.writing = len(t.dirty) > 0
	t.mu.Unlock()
	if len(batch) > 0 || waitFor == nil {
		return batch
	}
	waitFor.write.Lock()
	//lint:ignore SA2001 taken only to wait until the write under way is done
	waitFor.write.Unlock()
	return t.lateBases()
}

func (t *Table[T]) writeBatch(ctx context.Context, batch []base[T]) error {
	defer func() {
		for _, b := range batch {
			b.object.write.Unlock()
		}
	}()
	ops := make([]op, 0, len(batch))
	for _, b := range batch {
		o, err := t.replace(b, b.current)
		if err != nil {
			return err
		}
		ops = append(ops, o...)
	}
	rev, err := t.commit(ctx, ops...)
	if errors.Is(err, errConflict) {
		for _, b := range batch {
			if err := t.conflict(ctx, b, b.current); api.CodeOf(err) != api.CodeConflict {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range batch {
		t.settle(b, clone(b.current), rev)
	}
	return nil
}

// close stores what is late and waits for it.
func (t *Table[T]) close() {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.closing)
	}
	t.mu.Unlock()
	t.late.Wait()
}
