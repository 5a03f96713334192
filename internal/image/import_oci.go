package image

import (
	"context"
	"encoding/json"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// found is one image of an archive.
type found struct {
	record *record
	names  []string
}

// images puts together what the archive holds.
func (a *archive) images(ctx context.Context) ([]found, error) {
	if b, ok := a.small["index.json"]; ok {
		return a.ociImages(ctx, b)
	}
	if b, ok := a.small[a.find("manifest.json")]; ok {
		return a.dockerImages(ctx, b)
	}
	return nil, refuse("the archive has neither index.json nor manifest.json: it is truncated, or not the archive of an image")
}

// ociImages reads an OCI layout. Descriptors with one name are one image for
// several platforms.
func (a *archive) ociImages(ctx context.Context, b []byte) ([]found, error) {
	index, err := parseIndex(b)
	if err != nil {
		return nil, err
	}
	var order []string
	groups := make(map[string]*v1.IndexManifest)
	for _, d := range index.Manifests {
		n := nameOf(d.Annotations)
		if groups[n] == nil {
			groups[n] = &v1.IndexManifest{}
			order = append(order, n)
		}
		groups[n].Manifests = append(groups[n].Manifests, d)
	}
	var out []found
	for _, n := range order {
		r, err := a.ociImage(ctx, groups[n], 0)
		if err != nil {
			return nil, err
		}
		f := found{record: r}
		if n != "" {
			f.names = []string{n}
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, refuse("the archive holds no image")
	}
	return out, nil
}

func parseIndex(b []byte) (*v1.IndexManifest, error) {
	var i v1.IndexManifest
	if err := json.Unmarshal(b, &i); err != nil {
		return nil, refuse("the image index is not valid: %v", err)
	}
	for _, d := range i.Manifests {
		if err := checkDigest(d.Digest.String()); err != nil {
			return nil, err
		}
	}
	return &i, nil
}

// nameOf reads the name that an index gives to an image, "" for none. A bare
// tag, as build tools write it, is no name.
func nameOf(annotations map[string]string) string {
	for _, key := range []string{"io.containerd.image.name", nameAttr} {
		if n := annotations[key]; strings.ContainsAny(n, ":/") {
			if c, err := target(n); err == nil {
				return c
			}
		}
	}
	return ""
}

const maxIndexDepth = 4

func (a *archive) ociImage(ctx context.Context, index *v1.IndexManifest, depth int) (*record, error) {
	want, err := parsePlatform(a.tx.s.platform)
	if err != nil {
		return nil, err
	}
	d, err := choose(index, want)
	if err != nil {
		return nil, err
	}
	b, err := a.json("manifest", d.Digest.String())
	if err != nil {
		return nil, err
	}
	if !d.MediaType.IsIndex() {
		return a.ociManifest(ctx, b, string(d.MediaType))
	}
	if depth == maxIndexDepth {
		return nil, refuse("the image index is nested too deeply")
	}
	inner, err := parseIndex(b)
	if err != nil {
		return nil, err
	}
	return a.ociImage(ctx, inner, depth+1)
}

// json returns a small blob, checked against its digest.
func (a *archive) json(what, digest string) ([]byte, error) {
	b, ok := a.small[a.find("blobs/sha256/"+hexOf(digest))]
	if !ok {
		return nil, refuse("the archive is incomplete: %s %s is missing", what, short(digest))
	}
	if got := digestOf(b); got != digest {
		return nil, wrongDigest(what, digest, got)
	}
	return b, nil
}

func (a *archive) ociManifest(ctx context.Context, mb []byte, media string) (*record, error) {
	m, err := parseManifest(mb)
	if err != nil {
		return nil, err
	}
	cb, err := a.json("configuration", m.Config.Digest.String())
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(cb, a.budget.limits)
	if err != nil {
		return nil, err
	}
	layers, err := layersOf(m, c)
	if err != nil {
		return nil, err
	}
	asIs := true
	for i, l := range layers {
		have, err := a.layerAt(ctx, "blobs/sha256/"+hexOf(l.Blob))
		if err != nil {
			return nil, err
		}
		if l.Blob != have.Blob && l.Blob != have.DiffID {
			return nil, wrongDigest("layer", l.Blob, have.Blob)
		}
		if l.DiffID != have.DiffID {
			return nil, wrongDigest("unpacked layer", l.DiffID, have.DiffID)
		}
		if have.Blob == l.Blob {
			have.Media = l.Media
		} else {
			asIs = false // it was plain and is stored compressed
		}
		layers[i] = have
	}
	if !asIs {
		return a.tx.addManifest(cb, c, layers)
	}
	if _, err := a.tx.addBlob(cb); err != nil {
		return nil, err
	}
	if _, err := a.tx.addBlob(mb); err != nil {
		return nil, err
	}
	return newRecord(a.tx.s, mb, media, cb, c, layers), nil
}
