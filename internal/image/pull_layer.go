package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
)

// layer brings one layer into the store, unless it is there. Two pulls that
// need the same layer fetch it once.
func (p *pull) layer(ctx context.Context, want layer) (layer, error) {
	id := short(want.Blob)
	leave, err := p.tx.s.flights.board(ctx, want.DiffID)
	if err != nil {
		return layer{}, err
	}
	defer leave()
	// The same content in another compression is not enough: the manifest stays
	// as published, so its own blob is needed.
	if have, ok := p.tx.known(want.DiffID); ok && have.Blob == want.Blob {
		p.progress.say(api.Progress{ID: id, Action: "exists", Current: want.Stored, Total: want.Stored})
		have.Media = want.Media
		return have, nil
	}
	leaveBlob, err := p.tx.s.flights.board(ctx, "blob "+want.Blob)
	if err != nil {
		return layer{}, err
	}
	defer leaveBlob()
	if err := p.download(ctx, want); err != nil {
		return layer{}, err
	}
	return p.unpack(ctx, want)
}

// unpack makes the layer of a blob that has been fetched.
func (p *pull) unpack(ctx context.Context, want layer) (layer, error) {
	id, t, path := short(want.Blob), p.tx, p.tx.s.partialPath(want.Blob)
	f, err := os.Open(path)
	if err != nil {
		return layer{}, &diskError{err}
	}
	defer f.Close()
	dir, err := t.tempDir()
	if err != nil {
		return layer{}, &diskError{err}
	}
	in := &counter{r: f}
	defer p.progress.follow(id, "unpacking", in, want.Stored)()
	br, c, err := sniff(in)
	if err != nil {
		return layer{}, plainError(err)
	}
	z, err := decompress(br, c, p.budget.limits)
	if err != nil {
		return layer{}, err
	}
	defer z.Close()
	u := &unpacked{layer: want, dir: filepath.Join(dir, "root")}
	if err := t.unpackStream(ctx, z, u, p.budget, ociLayer); err != nil {
		if errors.Is(err, context.Canceled) {
			return layer{}, err
		}
		// Its digest is right, so fetching it again cannot help.
		os.Remove(path)
		return layer{}, &diskError{plainError(err)}
	}
	if u.DiffID != want.DiffID {
		os.Remove(path)
		return layer{}, wrongDigest("unpacked layer", want.DiffID, u.DiffID)
	}
	if err := t.keepBlob(path, want.Blob); err != nil {
		return layer{}, &diskError{err}
	}
	os.Remove(path) // there still when the blob was in the store
	if err := t.keepLayer(u.dir, u.layer); err != nil {
		return layer{}, &diskError{err}
	}
	p.progress.say(api.Progress{ID: id, Action: "done", Current: want.Stored, Total: want.Stored})
	return u.layer, nil
}
