package store

import (
	"context"
	"iter"

	"github.com/virga-cloud/virga/api"
)

// backend makes sets of changes durable, all or none.
type backend interface {
	// commit applies ops if every condition holds, and returns the store's new
	// revision once they are on disk. A condition that does not hold is
	// errConflict and changes nothing. After any other error the change may
	// or may not have been made.
	commit(ctx context.Context, ops ...op) (int64, error)
	// get reads one key; false when it is absent.
	get(ctx context.Context, key string) (entry, bool, error)
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
