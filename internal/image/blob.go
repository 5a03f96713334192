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

// keepLayer moves a finished directory to its diff id.
func (t *tx) keepLayer(dir, diffID string) error {
	t.pin(diffID)
	to := t.s.layerPath(diffID)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.Rename(dir, to); err != nil {
		// Another transfer was first: its directory is as good.
		if _, serr := os.Stat(to); serr == nil && !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return storeError("store layer "+short(diffID), err)
	}
	t.made = append(t.made, to)
	return nil
}
