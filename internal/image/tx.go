package image

import (
	"context"
	"fmt"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/tree"
)

// tx makes one image, or several that come together. What it makes is pinned,
// and so not stale, until end.
type tx struct {
	s     *Store
	pins  []string
	temps []string
	made  []string // paths that may have become unneeded
}

func (s *Store) begin() *tx { return &tx{s: s} }

// pin keeps a blob or a layer from being collected.
func (t *tx) pin(digest string) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.pins[digest]++
	t.pins = append(t.pins, digest)
}

// tempPath returns a new path under tmp.
func (t *tx) tempDir() (string, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	d, err := os.MkdirTemp(t.s.tmpDir(), "new-")
	if err != nil {
		return "", storeError("make temporary directory", err)
	}
	t.s.temp[d] = true
	t.temps = append(t.temps, d)
	return d, nil
}

// end removes what was not committed.
func (t *tx) end() {
	for _, d := range t.temps {
		if err := os.RemoveAll(d); err != nil {
			t.s.log.Error("remove temporary directory", "path", d, "error", err)
		}
	}
	t.s.mu.Lock()
	for _, d := range t.temps {
		delete(t.s.temp, d)
	}
	for _, p := range t.pins {
		if t.s.pins[p]--; t.s.pins[p] == 0 {
			delete(t.s.pins, p)
			delete(t.s.fresh, p)
			// Its image may have been removed meanwhile.
			t.made = append(t.made, t.s.blobPath(p), t.s.layerPath(p))
		}
	}
	t.s.mu.Unlock()
	if len(t.made) == 0 {
		return
	}
	if err := t.s.dropUnneeded(t.made...); err != nil {
		t.s.log.Error("undo transfer", "error", err)
	}
}

// commit makes the records visible under the names, durably. An image that is
// in the store already keeps its manifest unless the new one is the publisher's.
func (t *tx) commit(ctx context.Context, records []*record, names map[string]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := tree.Sync(t.s.dir); err != nil {
		return storeError("sync image store", err)
	}
	return t.s.change(func(v *snapshot) error {
		for _, r := range records {
			old := v.images[r.image.ID]
			if old != nil && r.composed {
				continue
			}
			if old != nil {
				t.made = append(t.made, t.s.partsOf(old)...)
			}
			v.images[r.image.ID] = r
		}
		for n, id := range names {
			v.names[n] = id
		}
		return nil
	})
}

// change replaces the index by what f makes of it.
func (s *Store) change(f func(*snapshot) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.view.Load().clone()
	if err := f(v); err != nil {
		return err
	}
	if err := s.save(v); err != nil {
		return err
	}
	s.view.Store(v)
	return nil
}

// storeError wraps an error of the disk, and names the ones a user can mend.
func storeError(op string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", op, err)
	if e := api.FromOS(err); e != nil {
		return e
	}
	return err
}
