package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Kinds of the store's resources.
const (
	kindLayer = "image-layer"
	kindBlob  = "image-blob"
	kindTemp  = "image-temp" // what is being made, or a download to be resumed
)

// partialAge is how long a download that broke off is kept to be resumed.
const partialAge = 24 * time.Hour

// Resources lists what the store holds on disk. What neither an image nor a
// transfer needs is stale.
func (s *Store) Resources(ctx context.Context) ([]api.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resources(ctx)
}

// resources needs s.mu.
func (s *Store) resources(ctx context.Context) ([]api.Resource, error) {
	blobs, layers := s.view.Load().needs()
	var out []api.Resource
	add := func(kind, sub string, stale func(string, fs.DirEntry) bool) error {
		dir := filepath.Join(s.dir, sub)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("list %s: %w", dir, err)
		}
		for _, e := range entries {
			p := filepath.Join(dir, e.Name())
			out = append(out, api.Resource{Kind: kind, Name: p, Owner: "node", Stale: stale(p, e)})
		}
		return ctx.Err()
	}
	err := errors.Join(
		add(kindLayer, "layers", func(_ string, e fs.DirEntry) bool {
			d := "sha256:" + e.Name()
			return !layers[d] && s.pins[d] == 0
		}),
		add(kindBlob, "blobs/sha256", func(_ string, e fs.DirEntry) bool {
			d := "sha256:" + e.Name()
			return !blobs[d] && s.pins[d] == 0
		}),
		add(kindTemp, "tmp", func(p string, _ fs.DirEntry) bool { return !s.temp[p] }),
		add(kindTemp, "partial", func(p string, e fs.DirEntry) bool {
			i, err := e.Info()
			return err == nil && s.pins["sha256:"+e.Name()] == 0 && time.Since(i.ModTime()) > partialAge
		}),
	)
	return out, err
}

// Collect removes one resource if it is stale still.
func (s *Store) Collect(ctx context.Context, r api.Resource) error {
	if rel, err := filepath.Rel(s.dir, r.Name); err != nil || !filepath.IsLocal(rel) || !strings.Contains(rel, "/") {
		return api.Errorf(api.CodeInvalid, "%s is not part of the image store", r.Name)
	}
	return s.collect(ctx, func(have api.Resource) bool { return have.Name == r.Name })
}

// collect removes what is stale and chosen.
func (s *Store) collect(ctx context.Context, chosen func(api.Resource) bool) error {
	s.mu.Lock()
	all, err := s.resources(ctx)
	var retired []string
	for _, r := range all {
		if err == nil && r.Stale && chosen(r) {
			var d string
			if d, err = s.retire(r.Name); d != "" {
				retired = append(retired, d)
			}
		}
	}
	s.mu.Unlock()
	for _, d := range retired {
		err = errors.Join(err, os.RemoveAll(d))
	}
	return storeError("collect stale parts of images", err)
}

// dropUnneeded removes blobs and layers that nothing needs any more.
func (s *Store) dropUnneeded(paths ...string) error {
	return s.collect(context.Background(), func(r api.Resource) bool { return slices.Contains(paths, r.Name) })
}

// retire moves something out of the store in one step and returns the
// directory to be removed, which is stale itself from now on. Needs s.mu.
func (s *Store) retire(path string) (string, error) {
	if filepath.Dir(path) == s.tmpDir() {
		return path, nil
	}
	d, err := os.MkdirTemp(s.tmpDir(), "old-")
	if err != nil {
		return "", err
	}
	if err := os.Rename(path, filepath.Join(d, "x")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	return d, nil
}
