package store

import (
	"context"
	"iter"
	"maps"
	"strings"
	"sync"

	"github.com/virga-cloud/virga/api"
)

// backend makes sets of changes durable, all or none.
type backend interface {
	// commit applies ops if every condition holds, and returns the store's new
	// revision once they are on disk. A condition that does not hold is
	// errConflict and changes nothing.
	commit(ctx context.Context, ops ...op) (int64, error)
	// load yields the keys below prefix with their values and revisions.
	load(ctx context.Context, prefix string) iter.Seq2[entry, error]
	close() error
}

// op sets or deletes one key.
type op struct {
	key   string
	value []byte // nil deletes
	when  int64  // revision the key must have: absent or anyRevision, else exact
}

const (
	absent      = 0
	anyRevision = -1
)

// entry is one stored key.
type entry struct {
	key      string
	value    []byte
	revision int64
}

var errConflict = api.Errorf(api.CodeConflict, "the object was changed by someone else meanwhile")

// memory is a backend without a disk.
type memory struct {
	mu       sync.Mutex
	revision int64            // +checklocks:mu
	entries  map[string]entry // +checklocks:mu
}

func newMemory() *memory { return &memory{entries: map[string]entry{}} }

func (m *memory) commit(_ context.Context, ops ...op) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range ops {
		if o.when != anyRevision && m.entries[o.key].revision != o.when {
			return 0, errConflict
		}
	}
	m.revision++
	for _, o := range ops {
		if o.value == nil {
			delete(m.entries, o.key)
			continue
		}
		m.entries[o.key] = entry{key: o.key, value: o.value, revision: m.revision}
	}
	return m.revision, nil
}

func (m *memory) load(_ context.Context, prefix string) iter.Seq2[entry, error] {
	m.mu.Lock()
	all := maps.Clone(m.entries)
	m.mu.Unlock()
	return func(yield func(entry, error) bool) {
		for k, e := range all {
			if strings.HasPrefix(k, prefix) && !yield(e, nil) {
				return
			}
		}
	}
}

func (m *memory) close() error { return nil }
