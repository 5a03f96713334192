package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"io"
	"path"
	"regexp"

	"github.com/virga-cloud/virga/api"
)

// Import reads an image from a stream of any supported form: a docker save
// archive, a tar of an OCI layout, or the tar of a root file system; plain,
// gzip or zstd. The stream is read once. Without a name, an archive's own names
// are used; a root file system then has none. It returns the first image, and
// reports each of several.
func (s *Store) Import(ctx context.Context, name string, r io.Reader, report func(api.Progress)) (api.Image, error) {
	if name != "" {
		var err error
		if name, err = target(name); err != nil {
			return api.Image{}, err
		}
	}
	p := newProgress(report)
	in := &counter{r: r}
	br, c, err := sniff(source{in})
	if err != nil {
		return api.Image{}, plainError(err)
	}
	// The form is told by the first entry, for which the start of a compressed
	// stream is decompressed twice.
	head, err := br.Peek(br.Size())
	if len(head) == 0 {
		return api.Image{}, plainError(err)
	}
	stop := p.follow("", "importing", in, 0)
	defer stop()
	if !isArchive(head, c, s.limits) {
		r, err := s.importRootfs(ctx, name, br, p)
		if err != nil {
			return api.Image{}, err
		}
		return s.describeNew(r), nil
	}
	all, err := s.importArchive(ctx, name, br, c, p)
	if err != nil {
		return api.Image{}, err
	}
	for _, r := range all {
		if len(all) > 1 {
			img := s.describeNew(r)
			p.say(api.Progress{ID: short(img.ID), Action: "imported", Image: &img})
		}
	}
	return s.describeNew(all[0]), nil
}

// describeNew describes an image that has just come in, even when it has been
// removed again since.
func (s *Store) describeNew(r *record) api.Image {
	v := s.view.Load()
	if have, ok := v.images[r.image.ID]; ok {
		r = have
	}
	return s.describe(v, r, s.inUse())
}

// archiveEntry matches what the archives of images begin with.
var archiveEntry = regexp.MustCompile(`^(oci-layout|index\.json|manifest\.json|repositories|blobs(/sha256(/[0-9a-f]{64})?)?` +
	`|(sha256:)?[0-9a-f]{64}(\.json|\.tar|\.tar\.gz|/VERSION|/json|/layer\.tar)?)$`)

// isArchive says whether a stream holds an image rather than a root file
// system, from its first bytes.
func isArchive(head []byte, c compression, l Limits) bool {
	z, err := decompress(bytes.NewReader(head), c, l)
	if err != nil {
		return false
	}
	defer z.Close()
	tr := tar.NewReader(bufio.NewReader(io.LimitReader(z, 1<<20)))
	for {
		h, err := tr.Next()
		if err != nil {
			return false
		}
		n := path.Clean(h.Name)
		if n == "." || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		return archiveEntry.MatchString(n)
	}
}
