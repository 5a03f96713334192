package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// archive is what was read from the tar of one or more images. Layers are
// unpacked as they pass; what they belong to is known only at the end.
type archive struct {
	tx     *tx
	budget *budget
	small  map[string][]byte // manifests, configurations and the like, by name
	held   int64             // bytes in small
	layers map[string]layer  // by name
	links  map[string]string // names that are links, with what they lead to
	other  map[string]int64  // what is neither, by name
}

const maxArchiveEntries = 100_000

// importArchive reads the images of a docker save archive or an OCI layout, one
// at least.
func (s *Store) importArchive(ctx context.Context, name string, r io.Reader, c compression, p *progress) ([]*record, error) {
	t := s.begin()
	defer t.end()
	a := &archive{
		tx: t, budget: newBudget(s.limits), small: make(map[string][]byte),
		layers: make(map[string]layer), links: make(map[string]string), other: make(map[string]int64),
	}
	z, err := decompress(r, c, s.limits)
	if err != nil {
		return nil, plainError(err)
	}
	defer z.Close()
	if err := a.read(ctx, z, p); err != nil {
		return nil, plainError(err)
	}
	found, err := a.images(ctx)
	if err != nil {
		return nil, err
	}
	var records []*record
	names := make(map[string]string)
	for _, f := range found {
		if !slices.ContainsFunc(records, func(r *record) bool { return r.image.ID == f.record.image.ID }) {
			records = append(records, f.record)
		}
		for _, n := range f.names {
			if name == "" {
				names[n] = f.record.image.ID
			}
		}
	}
	if name != "" {
		if len(records) > 1 {
			return nil, refuse("the archive holds %d images; a name can be given to one only", len(records)).
				WithHint("leave the name out to import all under their own names")
		}
		names[name] = records[0].image.ID
	}
	p.say(api.Progress{Action: "syncing"})
	return records, t.commit(ctx, records, names)
}

// read takes in the whole stream.
func (a *archive) read(ctx context.Context, r io.Reader, p *progress) error {
	tr := tar.NewReader(r)
	for entries := 0; ; entries++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r) // to see a damaged end
			return err
		}
		if err != nil {
			return badStream(err)
		}
		if entries > maxArchiveEntries {
			return refuse("the archive has more than %d entries", maxArchiveEntries)
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, 0:
			if err := a.file(ctx, name, h.Size, tr, p); err != nil {
				return err
			}
		case tar.TypeSymlink:
			a.links[name] = strings.TrimPrefix(path.Join("/", path.Dir(name), h.Linkname), "/")
		case tar.TypeLink:
			a.links[name] = strings.TrimPrefix(path.Clean("/"+h.Linkname), "/")
		case tar.TypeDir, tar.TypeXGlobalHeader:
		default:
			return refuse("the archive of an image must not hold entry %.200q of type %q", h.Name, h.Typeflag)
		}
	}
}

// file takes in one file: a layer is unpacked, anything small is kept.
func (a *archive) file(ctx context.Context, name string, size int64, r io.Reader, p *progress) error {
	br := bufio.NewReaderSize(r, 4<<10)
	head, err := br.Peek(int(min(size, sniffLength)))
	if err != nil {
		return badStream(io.ErrUnexpectedEOF)
	}
	if looksLikeLayer(head) {
		l, err := a.layer(ctx, name, size, br, p)
		if err != nil {
			return err
		}
		a.layers[name] = l
		return nil
	}
	if size > a.budget.limits.Manifest {
		a.other[name] = size
		return nil
	}
	if a.held += size; a.held > a.budget.limits.SmallMemory {
		return refuse("the archive has more than %d bytes of manifests", a.budget.limits.SmallMemory)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(br, b); err != nil {
		return badStream(err)
	}
	a.small[name] = b
	return nil
}

// looksLikeLayer knows tars, plain or compressed, by their magic.
func looksLikeLayer(head []byte) bool {
	c, err := detect(head)
	return err == nil && c != plain || len(head) > 262 && string(head[257:262]) == "ustar"
}

// layer unpacks one layer, unless the store has it: then its content is only
// compared with its digest.
func (a *archive) layer(ctx context.Context, name string, size int64, r io.Reader, p *progress) (layer, error) {
	in := &counter{r: r}
	id := short(path.Base(name))
	if strings.HasPrefix(path.Base(name), "layer.") {
		id = short(path.Dir(name))
	}
	if d := "sha256:" + path.Base(name); digestPattern.MatchString(d) {
		if l, ok := a.tx.known(d); ok {
			h := sha256.New()
			if _, err := io.Copy(h, in); err != nil {
				return layer{}, err
			}
			if got := digestSum(h); got != d {
				return layer{}, wrongDigest("layer", d, got)
			}
			p.say(api.Progress{ID: id, Action: "exists", Current: size, Total: size})
			return l, nil
		}
	}
	defer p.follow(id, "unpacking", in, size)()
	u, err := a.tx.addLayer(ctx, in, a.budget, ociLayer)
	if err != nil {
		return layer{}, err
	}
	return u.layer, nil
}

// find returns the name that an entry has after its links are followed.
func (a *archive) find(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	for range 8 {
		to, ok := a.links[name]
		if !ok {
			break
		}
		name = to
	}
	return name
}

// layerAt returns the layer at a name. A tar too small to be told from other
// files is unpacked here.
func (a *archive) layerAt(ctx context.Context, name string) (layer, error) {
	n := a.find(name)
	if l, ok := a.layers[n]; ok {
		return l, nil
	}
	b, ok := a.small[n]
	if !ok {
		if _, ok := a.other[n]; ok {
			return layer{}, refuse("%.200q in the archive is not a layer: it is no tar", name)
		}
		return layer{}, refuse("the archive is incomplete: layer %.200q is missing", name)
	}
	u, err := a.tx.addLayer(ctx, bytes.NewReader(b), a.budget, ociLayer)
	if err != nil {
		return layer{}, err
	}
	a.layers[n] = u.layer
	return u.layer, nil
}

func wrongDigest(what, want, got string) error {
	return refuse("%s has a wrong digest: it should be %s and is %s", what, want, got).
		WithHint("the archive or the transfer is damaged; fetch it again")
}
