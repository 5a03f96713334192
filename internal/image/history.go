package image

import (
	"context"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/virga-cloud/virga/api"
)

// History lists the steps that made an image, the last one first.
func (s *Store) History(_ context.Context, name string) ([]api.ImageStep, error) {
	r, err := s.view.Load().find(name)
	if err != nil {
		return nil, err
	}
	b, err := s.readBlob(r.image.ID)
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(b, s.limits)
	if err != nil {
		return nil, err
	}
	return steps(c.History, r.image.Layers), nil
}

// steps gives each step that made a layer its layer, bottom first. What a
// configuration tells need not be true: layers of which it says nothing are
// steps without words, and steps that are said to have made more layers than
// there are have none.
func steps(told []v1.History, layers []api.ImageLayer) []api.ImageStep {
	out := make([]api.ImageStep, 0, max(len(told), len(layers)))
	for _, h := range told {
		s := api.ImageStep{CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment}
		if t := h.Created.Time; t.Unix() > 0 {
			s.Created = t.UTC()
		}
		if !h.EmptyLayer && len(layers) > 0 {
			s.DiffID, s.Size = layers[0].DiffID, layers[0].Size
			layers = layers[1:]
		}
		out = append(out, s)
	}
	for _, l := range layers {
		out = append(out, api.ImageStep{DiffID: l.DiffID, Size: l.Size})
	}
	slices.Reverse(out)
	return out
}
