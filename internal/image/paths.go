package image

import "path/filepath"

func (s *Store) blobPath(digest string) string {
	return filepath.Join(s.dir, "blobs", "sha256", hexOf(digest))
}
func (s *Store) layerPath(diffID string) string {
	return filepath.Join(s.dir, "layers", hexOf(diffID))
}
func (s *Store) partialPath(digest string) string {
	return filepath.Join(s.dir, "partial", hexOf(digest))
}
func (s *Store) tmpDir() string    { return filepath.Join(s.dir, "tmp") }
func (s *Store) indexPath() string { return filepath.Join(s.dir, "index.json") }
