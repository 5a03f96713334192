package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/virga-cloud/virga/api"
)

// commitTimeout ends a commit that the disk does not answer.
const commitTimeout = 15 * time.Second

// Create stores a new object. Its Meta must have an ID, a name and a project;
// Revision is set. A taken name is a Conflict.
func (t *Table[T]) Create(ctx context.Context, v *T) error {
	m, k := t.meta(v), t.keyOf(v)
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", t.kind, m.ID, err)
	}
	rev, err := t.commit(ctx,
		op{t.key(m.ID), b, absent},
		op{t.nameKey(k), []byte(m.ID), absent})
	if errors.Is(err, errConflict) {
		return nameTaken(m.Name)
	}
	if err != nil {
		return err
	}
	m.Revision = rev
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &object[T]{id: m.ID, current: clone(v), revision: rev}
	t.objects[m.ID] = o
	t.names[k] = o
	t.notify(m.ID)
	return nil
}

// Update applies change to the object and stores the result; it is called
// again when someone else changed the object meanwhile, and must therefore
// depend on nothing but its argument. An error from it changes nothing and is
// returned. A name may be changed.
func (t *Table[T]) Update(ctx context.Context, id string, change func(*T) error) (T, error) {
	var zero T
	for {
		next, err := t.update(ctx, id, change)
		if errors.Is(err, errConflict) {
			continue
		}
		if err != nil {
			return zero, err
		}
		return *clone(next), nil
	}
}

// update tries once; errConflict says that it may be tried again.
func (t *Table[T]) update(ctx context.Context, id string, change func(*T) error) (*T, error) {
	b, err := t.begin(id)
	if err != nil {
		return nil, err
	}
	defer b.object.write.Unlock()
	next := clone(b.current)
	if err := change(next); err != nil {
		return nil, err
	}
	ops, err := t.replace(b, next)
	if err != nil {
		return nil, err
	}
	rev, err := t.commit(ctx, ops...)
	if errors.Is(err, errConflict) {
		return nil, t.conflict(ctx, b, next)
	}
	if err != nil {
		return nil, err
	}
	t.publish(b, next, rev)
	return next, nil
}

// Delete takes an object away. Deleting one that is not there is no error.
func (t *Table[T]) Delete(ctx context.Context, id string) error {
	for {
		if err := t.delete(ctx, id); !errors.Is(err, errConflict) {
			return err
		}
	}
}

// delete tries once; errConflict says that it may be tried again.
func (t *Table[T]) delete(ctx context.Context, id string) error {
	b, err := t.begin(id)
	if err != nil {
		return nil // NotFound, the only error of begin
	}
	defer b.object.write.Unlock()
	_, err = t.commit(ctx,
		op{t.key(id), nil, b.revision},
		op{t.nameKey(t.keyOf(b.current)), nil, anyRevision})
	if errors.Is(err, errConflict) {
		return t.conflict(ctx, b, b.current)
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(b.object)
	return nil
}

// base is what a change starts from.
type base[T any] struct {
	object   *object[T]
	current  *T
	revision int64
	late     int // how many of the object's late changes current has
}

// begin locks the object's write lock, which the caller releases, or returns
// NotFound.
func (t *Table[T]) begin(id string) (base[T], error) {
	t.mu.RLock()
	o, ok := t.objects[id]
	t.mu.RUnlock()
	if !ok {
		return base[T]{}, t.notFound(id)
	}
	o.write.Lock()
	t.mu.RLock()
	defer t.mu.RUnlock()
	if o.deleted {
		o.write.Unlock()
		return base[T]{}, t.notFound(id)
	}
	return base[T]{o, o.current, o.revision, len(o.late)}, nil
}

// replace are the ops that store next instead of b.
func (t *Table[T]) replace(b base[T], next *T) ([]op, error) {
	enc, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", t.kind, b.object.id, err)
	}
	ops := []op{{t.key(b.object.id), enc, b.revision}}
	if old, k := t.keyOf(b.current), t.keyOf(next); k != old {
		ops = append(ops, op{t.nameKey(old), nil, anyRevision}, op{t.nameKey(k), []byte(b.object.id), absent})
	}
	return ops, nil
}

// publish makes next, stored as rev, what readers see, with the late changes
// that came meanwhile applied to it, and tells the watchers.
func (t *Table[T]) publish(b base[T], next *T, rev int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settle(b, next, rev) {
		t.wake(b.object)
	}
}

// settle is publish for what the watchers have been told of already.
//
// +checklocks:t.mu
func (t *Table[T]) settle(b base[T], next *T, rev int64) bool {
	o := b.object
	if o.deleted || rev <= o.revision {
		return false
	}
	o.late = o.late[b.late:]
	if len(o.late) == 0 {
		o.late = nil
		delete(t.dirty, o)
	}
	for _, change := range o.late {
		change(next)
	}
	t.meta(next).Revision = rev
	old, k := t.keyOf(o.current), t.keyOf(next)
	if old != k && t.names[old] == o {
		delete(t.names, old)
	}
	t.names[k] = o
	o.revision = rev
	o.current = next
	return true
}

// conflict finds out why a commit based on b was refused, and brings the
// object up to date: an earlier commit whose answer was lost has been made
// after all. It returns errConflict when the caller may try again.
func (t *Table[T]) conflict(ctx context.Context, b base[T], next *T) error {
	e, ok, err := t.backend.get(ctx, t.key(b.object.id))
	if err != nil {
		return err
	}
	if ok && e.revision == b.revision {
		return nameTaken(t.meta(next).Name) // it was the other condition
	}
	if ok {
		v, err := t.decode(e)
		if err != nil {
			return err
		}
		t.publish(base[T]{object: b.object, current: v, revision: b.revision}, v, e.revision)
		return errConflict
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(b.object)
	return errConflict
}

// forget drops a deleted object.
//
// +checklocks:t.mu
func (t *Table[T]) forget(o *object[T]) {
	if o.deleted {
		return
	}
	o.deleted = true
	delete(t.dirty, o)
	delete(t.objects, o.id)
	if k := t.keyOf(o.current); t.names[k] == o {
		delete(t.names, k)
	}
	t.wake(o)
}

// commit is the backend's, made whole: a caller that goes away does not leave
// it in doubt whether its change was made.
func (t *Table[T]) commit(ctx context.Context, ops ...op) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	return t.backend.commit(ctx, ops...)
}

func nameTaken(name string) error {
	return api.Errorf(api.CodeConflict, "the name %q is taken", name).InField("name").
		WithHint("choose another name, or remove what has it")
}
