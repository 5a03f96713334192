package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/virga-cloud/virga/api"
)

// Table is every object of one kind. Objects are handed out as deep copies, so
// a caller may do with one what it likes. Its methods may be called
// concurrently.
type Table[T any] struct {
	kind    string
	backend backend
	meta    func(*T) *api.Meta

	mu      sync.RWMutex
	objects map[string]stored     // +checklocks:mu by id
	names   map[nameKey]string    // +checklocks:mu id by project and name
	watches map[chan Change]empty // +checklocks:mu
}

type empty = struct{}

type nameKey struct{ project, name string }

// stored is an object as it is on disk; decoding makes the copy a caller gets.
type stored struct {
	json     []byte
	revision int64
	nameKey
}

// Change names an object that was created, updated or deleted.
type Change struct{ ID string }

func newTable[T any](b backend, kind string, meta func(*T) *api.Meta) *Table[T] {
	return &Table[T]{
		kind: kind, backend: b, meta: meta,
		objects: map[string]stored{}, names: map[nameKey]string{}, watches: map[chan Change]empty{},
	}
}

func (t *Table[T]) key(id string) string { return "/virga/" + t.kind + "/" + id }

func (t *Table[T]) nameKey(k nameKey) string {
	return "/virga/names/" + t.kind + "/" + k.project + "/" + k.name
}

func (t *Table[T]) load(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e, err := range t.backend.load(ctx, t.key("")) {
		if err != nil {
			return fmt.Errorf("load %s: %w", t.kind, err)
		}
		var o T
		if err := json.Unmarshal(e.value, &o); err != nil {
			return fmt.Errorf("decode %s: %w", e.key, err)
		}
		m := t.meta(&o)
		k := nameKey{m.Project, m.Name}
		t.objects[m.ID] = stored{e.value, e.revision, k}
		t.names[k] = m.ID
	}
	return nil
}

// Create stores a new object. Its Meta must have an ID, a name and a project;
// Revision is set. A taken name is a Conflict.
func (t *Table[T]) Create(ctx context.Context, o *T) error {
	m := t.meta(o)
	k := nameKey{m.Project, m.Name}
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", t.kind, m.ID, err)
	}
	rev, err := t.backend.commit(ctx,
		op{t.key(m.ID), b, absent},
		op{t.nameKey(k), []byte(m.ID), absent})
	if errors.Is(err, errConflict) {
		return api.Errorf(api.CodeConflict, "the name %q is taken", m.Name).InField("name").
			WithHint("choose another name, or remove what has it")
	}
	if err != nil {
		return err
	}
	m.Revision = rev
	t.put(m.ID, stored{b, rev, k})
	return nil
}

// Update applies change to the object and stores the result; it is called
// again when someone else changed the object meanwhile, and must therefore
// depend on nothing but its argument. An error from it changes nothing and is
// returned. A name may be changed.
func (t *Table[T]) Update(ctx context.Context, id string, change func(*T) error) (T, error) {
	var zero T
	for {
		t.mu.RLock()
		old, ok := t.objects[id]
		t.mu.RUnlock()
		if !ok {
			return zero, t.notFound(id)
		}
		o, err := t.decode(old)
		if err != nil {
			return zero, err
		}
		if err := change(&o); err != nil {
			return zero, err
		}
		m := t.meta(&o)
		k := nameKey{m.Project, m.Name}
		b, err := json.Marshal(&o)
		if err != nil {
			return zero, fmt.Errorf("encode %s %s: %w", t.kind, id, err)
		}
		ops := []op{{t.key(id), b, old.revision}}
		if k != old.nameKey {
			if _, taken := t.lookup(k); taken {
				return zero, api.Errorf(api.CodeConflict, "the name %q is taken", m.Name).InField("name")
			}
			ops = append(ops, op{t.nameKey(old.nameKey), nil, anyRevision}, op{t.nameKey(k), []byte(id), absent})
		}
		rev, err := t.backend.commit(ctx, ops...)
		if errors.Is(err, errConflict) {
			continue // ctx ends a fight that never does: commit checks it
		}
		if err != nil {
			return zero, err
		}
		m.Revision = rev
		t.put(id, stored{b, rev, k})
		return o, nil
	}
}

// Delete takes an object away. Deleting one that is not there is no error.
func (t *Table[T]) Delete(ctx context.Context, id string) error {
	t.mu.RLock()
	old, ok := t.objects[id]
	t.mu.RUnlock()
	if !ok {
		return nil
	}
	if _, err := t.backend.commit(ctx, op{t.key(id), nil, anyRevision}, op{t.nameKey(old.nameKey), nil, anyRevision}); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.objects, id)
	if t.names[old.nameKey] == id {
		delete(t.names, old.nameKey)
	}
	t.notify(id)
	return nil
}

// ByID returns the object of that id, or NotFound.
func (t *Table[T]) ByID(id string) (T, error) {
	t.mu.RLock()
	s, ok := t.objects[id]
	t.mu.RUnlock()
	if !ok {
		var zero T
		return zero, t.notFound(id)
	}
	return t.decode(s)
}

// ByName returns the project's object of that name, or NotFound.
func (t *Table[T]) ByName(project, name string) (T, error) {
	id, ok := t.lookup(nameKey{project, name})
	if !ok {
		var zero T
		return zero, t.notFound(name)
	}
	return t.ByID(id)
}

// List returns every object, in no order.
func (t *Table[T]) List() ([]T, error) {
	t.mu.RLock()
	all := make([]stored, 0, len(t.objects))
	for _, s := range t.objects {
		all = append(all, s)
	}
	t.mu.RUnlock()
	out := make([]T, 0, len(all))
	for _, s := range all {
		o, err := t.decode(s)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

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

// put makes s current unless something newer is.
func (t *Table[T]) put(id string, s stored) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, ok := t.objects[id]
	if ok && old.revision >= s.revision {
		return
	}
	if ok && old.nameKey != s.nameKey && t.names[old.nameKey] == id {
		delete(t.names, old.nameKey)
	}
	t.objects[id] = s
	t.names[s.nameKey] = id
	t.notify(id)
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

func (t *Table[T]) lookup(k nameKey) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	id, ok := t.names[k]
	return id, ok
}

func (t *Table[T]) decode(s stored) (T, error) {
	var o T
	if err := json.Unmarshal(s.json, &o); err != nil {
		return o, fmt.Errorf("decode %s: %w", t.kind, err)
	}
	t.meta(&o).Revision = s.revision
	return o, nil
}

func (t *Table[T]) notFound(ref string) error {
	return api.Errorf(api.CodeNotFound, "no %s %q", t.kind[:len(t.kind)-1], ref)
}
