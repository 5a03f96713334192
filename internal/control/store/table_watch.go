package store

import "context"

// Change names an object that was created, updated or deleted.
type Change struct{ ID string }

// watchBuffer bounds what a slow watcher may leave unread; one that falls
// further behind has its channel closed and must list and watch anew.
const watchBuffer = 4096

// Watch delivers the id of every object that changes from now on. The channel
// is closed when ctx ends or when the reader is too slow. List after Watch to
// miss nothing.
func (t *Table[T]) Watch(ctx context.Context) <-chan Change {
	c := make(chan Change, watchBuffer)
	t.mu.Lock()
	t.watches[c] = empty{}
	t.mu.Unlock()
	context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drop(c)
	})
	return c
}

// Await returns the object as soon as until holds for it. When it is deleted
// before, Await returns NotFound and the object as it last was. States that
// pass quickly may be skipped. until must not change its argument; neither may
// the caller change the result.
func (t *Table[T]) Await(ctx context.Context, id string, until func(*T) bool) (*T, error) {
	t.mu.RLock()
	o, ok := t.objects[id]
	t.mu.RUnlock()
	if !ok {
		return nil, t.notFound(id)
	}
	for {
		current, changed := t.watchOne(o)
		if changed == nil {
			return current, t.notFound(id)
		}
		if until(current) {
			return current, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// watchOne returns the object and a channel that is closed at its next change,
// nil once it is deleted.
func (t *Table[T]) watchOne(o *object[T]) (*T, <-chan empty) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.deleted {
		return o.current, nil
	}
	if o.changed == nil {
		o.changed = make(chan empty)
	}
	return o.current, o.changed
}

// wake tells who waits for o or watches the table.
//
// +checklocks:t.mu
func (t *Table[T]) wake(o *object[T]) {
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	t.notify(o.id)
}

// +checklocks:t.mu
func (t *Table[T]) notify(id string) {
	for c := range t.watches {
		select {
		case c <- Change{ID: id}:
		default:
			t.drop(c)
		}
	}
}

// +checklocks:t.mu
func (t *Table[T]) drop(c chan Change) {
	if _, ok := t.watches[c]; ok {
		delete(t.watches, c)
		close(c)
	}
}
