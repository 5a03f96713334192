package store

import (
	"context"
	"iter"
	"maps"
	"strings"
	"sync"
)

// memory is a backend without a disk.
type memory struct {
	mu       sync.Mutex
	revision int64            // +checklocks:mu
	entries  map[string]entry // +checklocks:mu
}

func newMemory() *memory { return &memory{entries: map[string]entry{}} }

func (m *memory) commit(ctx context.Context, ops ...op) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
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

func (m *memory) get(_ context.Context, key string) (entry, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[key]
	return e, ok, nil
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
