package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/virga-cloud/virga/api"
)

// Table is every object of one kind. ByID, ByName and List hand out deep
// copies, with which a caller may do what it likes; View, Views and Find hand
// out the shared object itself, which must not be changed. All methods may be
// called concurrently.
type Table[T any] struct {
	kind    string
	backend backend
	meta    func(*T) *api.Meta
	log     *slog.Logger

	mu      sync.RWMutex
	objects map[string]*object[T]  // +checklocks:mu by id
	names   map[nameKey]*object[T] // +checklocks:mu
	watches map[chan Change]empty  // +checklocks:mu
	dirty   map[*object[T]]empty   // +checklocks:mu objects with late changes
	writing bool                   // +checklocks:mu a goroutine of late is at work
	closed  bool                   // +checklocks:mu

	late    sync.WaitGroup
	closing chan empty // closed by close
}

type empty = struct{}

type nameKey struct{ project, name string }

// object is one object of a table. What current points to is never changed
// once it is there.
type object[T any] struct {
	id string
	// write is held by who commits a change of the object, so that changes of
	// this process queue instead of failing on each other's revision. Locked
	// before the table's mu, and held while the disk works.
	write sync.Mutex

	// The rest is guarded by the table's mu.
	current  *T
	revision int64      // of the backend's copy
	changed  chan empty // closed when current is replaced or the object deleted; made on demand
	deleted  bool
	// late are changes that current has and the backend's copy has not.
	late []func(*T)
}

func newTable[T any](b backend, log *slog.Logger, kind string, meta func(*T) *api.Meta) *Table[T] {
	return &Table[T]{
		kind: kind, backend: b, meta: meta, log: log.With("kind", kind),
		objects: map[string]*object[T]{}, names: map[nameKey]*object[T]{},
		watches: map[chan Change]empty{}, dirty: map[*object[T]]empty{},
		closing: make(chan empty),
	}
}

func (t *Table[T]) key(id string) string { return "/virga/" + t.kind + "/" + id }

func (t *Table[T]) nameKey(k nameKey) string {
	return "/virga/names/" + t.kind + "/" + k.project + "/" + k.name
}

func (t *Table[T]) keyOf(v *T) nameKey {
	m := t.meta(v)
	return nameKey{m.Project, m.Name}
}

// load fills an empty table from the backend.
func (t *Table[T]) load(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e, err := range t.backend.load(ctx, t.key("")) {
		if err != nil {
			return fmt.Errorf("load %s: %w", t.kind, err)
		}
		v, err := t.decode(e)
		if err != nil {
			return err
		}
		id := strings.TrimPrefix(e.key, t.key(""))
		o := &object[T]{id: id, current: v, revision: e.revision}
		t.objects[id] = o
		t.names[t.keyOf(v)] = o
	}
	return nil
}

func (t *Table[T]) decode(e entry) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(e.value, v); err != nil {
		return nil, fmt.Errorf("decode %s: %w", e.key, err)
	}
	t.meta(v).Revision = e.revision
	return v, nil
}

// View returns the object of that id, or NotFound. It must not be changed.
func (t *Table[T]) View(id string) (*T, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if o, ok := t.objects[id]; ok {
		return o.current, nil
	}
	return nil, t.notFound(id)
}

// Views returns every object, in no order. They must not be changed.
func (t *Table[T]) Views() []*T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]*T, 0, len(t.objects))
	for _, o := range t.objects {
		all = append(all, o.current)
	}
	return all
}

// Find returns the project's object that ref means: a name, an id or the
// beginning of just one id. It must not be changed.
func (t *Table[T]) Find(project, ref string) (*T, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if o, ok := t.names[nameKey{project, ref}]; ok {
		return o.current, nil
	}
	if o, ok := t.objects[ref]; ok && t.meta(o.current).Project == project {
		return o.current, nil
	}
	if ref == "" {
		return nil, t.notFound(ref)
	}
	var found *T
	for id, o := range t.objects {
		if !strings.HasPrefix(id, ref) || t.meta(o.current).Project != project {
			continue
		}
		if found != nil {
			return nil, api.Errorf(api.CodeConflict, "several %s have an id that begins with %q", t.kind, ref).
				WithHint("give more characters of the id, or the name")
		}
		found = o.current
	}
	if found == nil {
		return nil, t.notFound(ref)
	}
	return found, nil
}

// ByID returns the object of that id, or NotFound.
func (t *Table[T]) ByID(id string) (T, error) {
	v, err := t.View(id)
	if err != nil {
		var zero T
		return zero, err
	}
	return *clone(v), nil
}

// ByName returns the project's object of that name, or NotFound.
func (t *Table[T]) ByName(project, name string) (T, error) {
	t.mu.RLock()
	o, ok := t.names[nameKey{project, name}]
	var v *T
	if ok {
		v = o.current
	}
	t.mu.RUnlock()
	if !ok {
		var zero T
		return zero, t.notFound(name)
	}
	return *clone(v), nil
}

// List returns every object, in no order. The error is always nil.
func (t *Table[T]) List() ([]T, error) {
	views := t.Views()
	out := make([]T, len(views))
	for i, v := range views {
		out[i] = *clone(v)
	}
	return out, nil
}

func (t *Table[T]) notFound(ref string) error {
	return api.Errorf(api.CodeNotFound, "no %s %q", t.kind[:len(t.kind)-1], ref)
}
