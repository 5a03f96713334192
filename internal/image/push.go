package image

import (
	"context"
	"io"
	"os"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/virga-cloud/virga/api"
)

// Push sends an image to a registry, byte for byte as it is stored. Layers that
// the registry has are not sent.
func (s *Store) Push(ctx context.Context, r api.PushRequest, report func(api.Progress)) error {
	t := s.begin()
	defer t.end()
	rec, err := t.hold(r.Image)
	if err != nil {
		return err
	}
	to := r.Reference
	if to == "" {
		name, ok := s.view.Load().nameMeant(r.Image, rec.image.ID)
		if !ok {
			return api.Invalid("reference", "%q is not a name that a registry could have", r.Image).
				WithHint("say where to push to")
		}
		to = name
	}
	ref, err := parseReference(to, r.Insecure)
	if err != nil {
		return err
	}
	img, err := partial.CompressedToImage(&stored{s: s, record: rec})
	if err != nil {
		return err
	}
	p := newProgress(report)
	updates := make(chan v1.Update, 16)
	var wg sync.WaitGroup
	wg.Go(func() {
		for u := range updates { // closed by remote.Write
			if u.Error == nil {
				p.say(api.Progress{Action: "pushing", Current: u.Complete, Total: u.Total})
			}
		}
	})
	err = remote.Write(ref, img, remote.WithContext(ctx), remote.WithAuth(authenticator(r.Auth)),
		remote.WithTransport(s.guard(r.Insecure)), remote.WithJobs(parallelLayers), remote.WithProgress(updates))
	wg.Wait()
	if err != nil {
		return registryError(to, err)
	}
	p.say(api.Progress{Action: "done"})
	return nil
}

// stored shows an image of the store to the registry's client.
type stored struct {
	s      *Store
	record *record
}

var _ partial.CompressedImageCore = (*stored)(nil)

func (i *stored) RawConfigFile() ([]byte, error) { return i.s.readBlob(i.record.image.ID) }
func (i *stored) RawManifest() ([]byte, error)   { return i.s.readBlob(i.record.manifest) }
func (i *stored) MediaType() (types.MediaType, error) {
	return types.MediaType(i.record.media), nil
}

func (i *stored) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, l := range i.record.layers {
		if l.Blob == h.String() {
			return &storedLayer{i.s, l}, nil
		}
	}
	return nil, os.ErrNotExist
}

type storedLayer struct {
	s *Store
	l layer
}

func (l *storedLayer) Digest() (v1.Hash, error) { return v1.NewHash(l.l.Blob) }
func (l *storedLayer) Size() (int64, error)     { return l.l.Stored, nil }
func (l *storedLayer) MediaType() (types.MediaType, error) {
	return types.MediaType(l.l.Media), nil
}
func (l *storedLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.s.blobPath(l.l.Blob)) }
