package image

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/virga-cloud/virga/api"
)

// parallelLayers is how many layers of one image are fetched at a time.
const parallelLayers = 4

// Pull fetches an image from a registry and gives it the reference as a name.
// Layers that are in the store are not fetched; a download that broke off goes
// on where it stopped, also in a later call.
func (s *Store) Pull(ctx context.Context, r api.PullRequest, report func(api.Progress)) (api.Image, error) {
	platform := r.Platform
	if platform == "" {
		platform = s.platform
	}
	want, err := parsePlatform(platform)
	if err != nil {
		return api.Image{}, err
	}
	ref, err := parseReference(r.Reference, r.Insecure)
	if err != nil {
		return api.Image{}, err
	}
	local, err := canonical(r.Reference)
	if err != nil {
		return api.Image{}, err
	}
	g, err := s.connect(ctx, ref, r.Auth, r.Insecure)
	if err != nil {
		return api.Image{}, err
	}
	p := &pull{tx: s.begin(), reg: g, budget: newBudget(s.limits), progress: newProgress(report)}
	defer p.tx.end()
	rec, err := p.image(ctx, ref.Identifier(), want)
	if err != nil {
		return api.Image{}, registryError(r.Reference, err)
	}
	if r.Platform != "" && !sameMachine(rec.image.Platform, want) {
		return api.Image{}, api.Errorf(api.CodeNotFound, "%s is for %s only", r.Reference, rec.image.Platform)
	}
	if err := p.tx.commit(ctx, []*record{rec}, named(local, rec.image.ID)); err != nil {
		return api.Image{}, err
	}
	return s.describeNew(rec), nil
}

func sameMachine(have string, want v1.Platform) bool {
	p, err := parsePlatform(have)
	return err != nil || p.OS == want.OS && p.Architecture == want.Architecture
}

// pull is one image on its way.
type pull struct {
	tx       *tx
	reg      *registry
	budget   *budget
	progress *progress
}

// image fetches everything of an image.
func (p *pull) image(ctx context.Context, id string, want v1.Platform) (*record, error) {
	mb, media, err := p.manifest(ctx, id, want)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(mb)
	if err != nil {
		return nil, err
	}
	if m.MediaType != "" {
		media = m.MediaType
	}
	if m.Config.Size > p.budget.limits.Manifest {
		return nil, refuse("the configuration has more than %d bytes", p.budget.limits.Manifest)
	}
	cb, err := p.reg.blob(ctx, m.Config.Digest.String())
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(cb, p.budget.limits)
	if err != nil {
		return nil, err
	}
	layers, err := layersOf(m, c)
	if err != nil {
		return nil, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelLayers)
	for i := range layers {
		g.Go(func() error {
			l, err := p.layer(gctx, layers[i])
			if err == nil {
				layers[i] = l
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, b := range [][]byte{cb, mb} {
		if _, err := p.tx.addBlob(b); err != nil {
			return nil, &diskError{err}
		}
	}
	return newRecord(p.tx.s, mb, string(media), cb, c, layers), nil
}

// manifest fetches the manifest for a platform, through indexes.
func (p *pull) manifest(ctx context.Context, id string, want v1.Platform) ([]byte, types.MediaType, error) {
	for range maxIndexDepth {
		b, media, err := p.reg.manifest(ctx, id)
		if err != nil {
			return nil, "", err
		}
		if !media.IsIndex() {
			return b, media, nil
		}
		index, err := parseIndex(b)
		if err != nil {
			return nil, "", err
		}
		d, err := choose(index, want)
		if err != nil {
			return nil, "", err
		}
		id = d.Digest.String()
	}
	return nil, "", refuse("the image index is nested too deeply")
}
