package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// indexFile is index.json, as OCI's image layout defines it: one descriptor
// for each name of an image, and one without a name for an image without one.
type indexFile struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar"
	layoutFile    = `{"imageLayoutVersion":"1.0.0"}`
)

// load reads the index. An image of which a part is missing is left out and
// reported: it must not keep the node from starting.
func (s *Store) load() error {
	v := newSnapshot()
	b, err := os.ReadFile(s.indexPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read image index: %w", err)
	}
	if err == nil {
		var f indexFile
		if err := json.Unmarshal(b, &f); err != nil {
			return fmt.Errorf("read image index %s: %w", s.indexPath(), err)
		}
		for _, d := range f.Manifests {
			r, err := s.loadRecord(d)
			if err != nil {
				s.log.Error("image left out", "manifest", d.Digest, "name", d.Annotations[nameAttr], "error", err)
				continue
			}
			v.images[r.image.ID] = r
			if n := d.Annotations[nameAttr]; n != "" {
				v.names[n] = r.image.ID
			}
		}
	}
	s.view.Store(v)
	return os.WriteFile(filepath.Join(s.dir, "oci-layout"), []byte(layoutFile), 0o600)
}

func (s *Store) loadRecord(d descriptor) (*record, error) {
	if err := checkDigest(d.Digest); err != nil {
		return nil, err
	}
	mb, err := s.readBlob(d.Digest)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(mb)
	if err != nil {
		return nil, err
	}
	cb, err := s.readBlob(m.Config.Digest.String())
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(cb, s.limits)
	if err != nil {
		return nil, err
	}
	layers, err := layersOf(m, c)
	if err != nil {
		return nil, err
	}
	if err := parseSizes(d.Annotations[sizesAttr], layers); err != nil {
		return nil, err
	}
	for _, l := range layers {
		if _, err := os.Stat(s.layerPath(l.DiffID)); err != nil {
			return nil, err
		}
	}
	return newRecord(s, mb, d.MediaType, cb, c, layers), nil
}

// save writes the index that stands for v: all of it or nothing.
func (s *Store) save(v *snapshot) error {
	f := indexFile{SchemaVersion: 2, MediaType: mediaIndex, Manifests: []descriptor{}}
	for id, r := range v.images {
		names := v.namesOf(id)
		if len(names) == 0 {
			names = []string{""}
		}
		for _, n := range names {
			a := map[string]string{sizesAttr: r.sizes()}
			if n != "" {
				a[nameAttr] = n
			}
			f.Manifests = append(f.Manifests, descriptor{r.media, r.manifest, r.size, a})
		}
	}
	slices.SortFunc(f.Manifests, func(a, b descriptor) int {
		return strings.Compare(a.Annotations[nameAttr]+a.Digest, b.Annotations[nameAttr]+b.Digest)
	})
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	if err := writeSynced(s.indexPath(), b); err != nil {
		return storeError("write image index", err)
	}
	return nil
}

// writeSynced replaces a file durably.
func writeSynced(path string, b []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
