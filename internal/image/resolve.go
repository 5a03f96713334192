package image

import (
	"context"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// Resolve returns an image and the directories of its unpacked layers, top
// first. It reads memory only. The caller must not change what it gets; Names
// and InUse are left out.
func (s *Store) Resolve(_ context.Context, name string) (api.Image, []string, error) {
	r, err := s.view.Load().find(name)
	if err != nil {
		return api.Image{}, nil, err
	}
	return r.image, r.paths, nil
}

// Inspect finds an image by name, digest or an unambiguous beginning of its id.
func (s *Store) Inspect(_ context.Context, name string) (api.Image, error) {
	v := s.view.Load()
	r, err := v.find(name)
	if err != nil {
		return api.Image{}, err
	}
	return s.describe(v, r, s.inUse()), nil
}

// List lists all images, newest first.
func (s *Store) List(context.Context) ([]api.Image, error) {
	v, used := s.view.Load(), s.inUse()
	out := make([]api.Image, 0, len(v.images))
	for _, r := range v.images {
		out = append(out, s.describe(v, r, used))
	}
	slices.SortFunc(out, func(a, b api.Image) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

func (s *Store) describe(v *snapshot, r *record, used map[string]int) api.Image {
	i := r.image
	i.Names, i.InUse = v.namesOf(i.ID), used[i.ID]
	return i
}

// find looks a name up as people write it: a full id or digest, a reference
// with or without tag, or the beginning of an id.
func (v *snapshot) find(name string) (*record, error) {
	if id, ok := v.names[name]; ok {
		return v.images[id], nil
	}
	if digestPattern.MatchString(name) {
		if r := v.byDigest(name); r != nil {
			return r, nil
		}
		return nil, missing(name)
	}
	c, err := canonical(name)
	if err == nil {
		if id, ok := v.names[c]; ok {
			return v.images[id], nil
		}
		if _, digest, ok := strings.Cut(c, "@"); ok {
			if r := v.byDigest(digest); r != nil {
				return r, nil
			}
		}
	}
	if idPattern.MatchString(name) {
		var found *record
		for id, r := range v.images {
			if strings.HasPrefix(hexOf(id), hexOf(name)) {
				if found != nil {
					return nil, api.Errorf(api.CodeConflict, "more than one image has an id that begins with %s", name).
						WithHint("give more digits")
				}
				found = r
			}
		}
		if found != nil {
			return found, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return nil, missing(name)
}

// byDigest finds an image by id or by the digest of its manifest, or nil.
func (v *snapshot) byDigest(d string) *record {
	if r, ok := v.images[d]; ok {
		return r
	}
	for _, r := range v.images {
		if r.manifest == d {
			return r
		}
	}
	return nil
}

func missing(name string) error {
	e := api.Errorf(api.CodeNotFound, "no image %.300q on this node", name)
	if c, err := canonical(name); err == nil && c == api.HelloImage+":latest" {
		return e.WithHint("this virga was built without its built-in image: build it with make")
	}
	return e.WithHint("virga image pull %.300s fetches it, virga image ls shows what is here", name)
}
