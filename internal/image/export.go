package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Export writes images as a tar: an OCI layout, which is the images byte for
// byte, or what docker load reads, whose layers are plain tars. What they have in
// common is written once. An image has those of its names that it is asked for
// by, all of them when that is its id. The same images give the same bytes, and
// stay while they are written.
func (s *Store) Export(ctx context.Context, refs []string, f api.ExportFormat, w io.Writer) error {
	if f != api.ExportOCI && f != api.ExportDocker && f != "" {
		return api.Invalid("format", "%.60q is not a format", f).WithHint("use %s or %s", api.ExportOCI, api.ExportDocker)
	}
	t := s.begin()
	defer t.end()
	list, err := t.exports(refs)
	if err != nil {
		return err
	}
	e := &exporter{s: s, ctx: ctx, tar: tar.NewWriter(w), done: make(map[string]bool)}
	if f == api.ExportDocker {
		err = e.docker(list)
	} else {
		err = e.oci(list)
	}
	if err == nil {
		err = e.tar.Close()
	}
	if err != nil {
		return fmt.Errorf("export images: %w", err)
	}
	return nil
}

// exported is one image of an archive, with the names that it has there.
type exported struct {
	*record
	names []string
}

// exports finds what is to be written, each image once, and pins it.
func (t *tx) exports(refs []string) (list []*exported, err error) {
	for _, ref := range refs {
		r, err := t.hold(ref)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(e *exported) bool { return e.image.ID == r.image.ID })
		if i < 0 {
			i, list = len(list), append(list, &exported{record: r})
		}
		have := t.s.view.Load().namesOf(r.image.ID)
		if name, err := target(ref); err == nil && slices.Contains(have, name) {
			have = []string{name}
		}
		for _, n := range have {
			if !slices.Contains(list[i].names, n) {
				list[i].names = append(list[i].names, n)
			}
		}
	}
	return list, nil
}

// hold finds an image and pins its parts.
func (t *tx) hold(name string) (*record, error) {
	for {
		v := t.s.view.Load()
		r, err := v.find(name)
		if err != nil {
			return nil, err
		}
		t.pin(r.manifest)
		t.pin(r.image.ID)
		for _, l := range r.layers {
			t.pin(l.Blob)
			t.pin(l.DiffID)
		}
		// Pinned in time only if it is in the store still.
		if t.s.view.Load().images[r.image.ID] == r {
			return r, nil
		}
	}
}

// exporter writes a tar without anything of the node in it: no owners, no dates.
type exporter struct {
	s    *Store
	ctx  context.Context
	tar  *tar.Writer
	done map[string]bool
}

func (e *exporter) header(name string, size int64) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	return e.tar.WriteHeader(&tar.Header{
		Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	})
}

func (e *exporter) bytes(name string, b []byte) error {
	if err := e.header(name, int64(len(b))); err != nil {
		return err
	}
	_, err := e.tar.Write(b)
	return err
}

func (e *exporter) json(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.bytes(name, b)
}

// blob copies a blob as it is stored.
func (e *exporter) blob(digest string) error {
	name := "blobs/sha256/" + hexOf(digest)
	if e.done[name] {
		return nil
	}
	e.done[name] = true
	f, err := os.Open(e.s.blobPath(digest))
	if err != nil {
		return err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return err
	}
	if err := e.header(name, i.Size()); err != nil {
		return err
	}
	_, err = io.Copy(e.tar, f)
	return err
}

func (e *exporter) oci(list []*exported) error {
	if err := e.bytes("oci-layout", []byte(layoutFile)); err != nil {
		return err
	}
	index := indexFile{SchemaVersion: 2, MediaType: mediaIndex}
	for _, x := range list {
		d := descriptor{MediaType: x.media, Digest: x.manifest, Size: x.size}
		for _, n := range x.names {
			d.Annotations = map[string]string{nameAttr: n}
			index.Manifests = append(index.Manifests, d)
		}
		if len(x.names) == 0 {
			index.Manifests = append(index.Manifests, d)
		}
	}
	if err := e.json("index.json", index); err != nil {
		return err
	}
	for _, x := range list {
		digests := []string{x.manifest, x.image.ID}
		for _, l := range x.layers {
			digests = append(digests, l.Blob)
		}
		for _, d := range digests {
			if err := e.blob(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exporter) docker(list []*exported) error {
	var manifests []dockerManifest
	for _, x := range list {
		m := dockerManifest{Config: "blobs/sha256/" + hexOf(x.image.ID), RepoTags: x.names}
		for _, l := range x.layers {
			m.Layers = append(m.Layers, "blobs/sha256/"+hexOf(l.DiffID))
		}
		manifests = append(manifests, m)
	}
	if err := e.json("manifest.json", manifests); err != nil {
		return err
	}
	for _, x := range list {
		if err := e.blob(x.image.ID); err != nil {
			return err
		}
		for _, l := range x.layers {
			if err := e.plainLayer(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// plainLayer writes a layer uncompressed, under its diff id.
func (e *exporter) plainLayer(l layer) error {
	name := "blobs/sha256/" + hexOf(l.DiffID)
	if e.done[name] {
		return nil
	}
	e.done[name] = true
	f, err := os.Open(e.s.blobPath(l.Blob))
	if err != nil {
		return err
	}
	defer f.Close()
	br, c, err := sniff(f)
	if err != nil {
		return err
	}
	z, err := decompress(br, c, e.s.limits)
	if err != nil {
		return err
	}
	defer z.Close()
	if err := e.header(name, l.Tar); err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{e.tar}, onlyReader{z}, make([]byte, chunkSize))
	return err
}
