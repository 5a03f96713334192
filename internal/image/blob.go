package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// readBlob reads a small blob and checks that it is what its name says.
func (s *Store) readBlob(digest string) ([]byte, error) {
	f, err := os.Open(s.blobPath(digest))
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", short(digest), err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, s.limits.Manifest+1))
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", short(digest), err)
	}
	if d := digestOf(b); d != digest {
		return nil, fmt.Errorf("blob %s is damaged on disk", short(digest))
	}
	return b, nil
}

func (s *Store) hasBlob(digest string) bool {
	_, err := os.Stat(s.blobPath(digest))
	return err == nil
}

// addBlob stores a small blob.
func (t *tx) addBlob(b []byte) (string, error) {
	d := digestOf(b)
	t.pin(d)
	if t.s.hasBlob(d) {
		return d, nil
	}
	dir, err := t.tempDir()
	if err != nil {
		return "", err
	}
	p := filepath.Join(dir, "blob")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		return "", storeError("write blob "+short(d), err)
	}
	return d, t.keepBlob(p, d)
}

// keepBlob moves a finished file to its digest.
func (t *tx) keepBlob(path, digest string) error {
	t.pin(digest)
	if t.s.hasBlob(digest) {
		return nil
	}
	to := t.s.blobPath(digest)
	if err := os.Rename(path, to); err != nil {
		return storeError("store blob "+short(digest), err)
	}
	t.made = append(t.made, to)
	return nil
}

// keepLayer moves a finished directory to its diff id. Its blob is in the store.
func (t *tx) keepLayer(dir string, l layer) error {
	t.pin(l.DiffID)
	to := t.s.layerPath(l.DiffID)
	err := os.Rename(dir, to)
	switch {
	case err == nil:
		t.made = append(t.made, to)
	case errors.Is(err, fs.ErrExist): // not empty: another transfer was first
	default:
		if _, serr := os.Stat(to); serr != nil {
			return storeError("store layer "+short(l.DiffID), err)
		}
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.fresh[l.DiffID] = l
	return nil
}
