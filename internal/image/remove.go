package image

import (
	"context"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// Remove takes a name from an image, and the image with its last name. It
// returns what went: names, then the id. An image that instances use is kept:
// without force that is a Conflict, with force only its names go.
func (s *Store) Remove(_ context.Context, name string, force bool) ([]string, error) {
	var gone []string
	var parts []string
	err := s.change(func(v *snapshot) error {
		r, err := v.find(name)
		if err != nil {
			return err
		}
		id := r.image.ID
		names := v.namesOf(id)
		if n, ok := v.nameMeant(name, id); ok {
			names = []string{n}
		} else if len(names) > 1 && !force {
			return api.Errorf(api.CodeConflict, "image %s has %d names", short(id), len(names)).
				WithHint("remove one by one, or all with --force: %s", strings.Join(names, ", "))
		}
		last := len(names) == len(v.namesOf(id))
		used := s.inUse()[id]
		if last && used > 0 && !force {
			return api.Errorf(api.CodeConflict, "image %s is used by %d %s", name, used, plural(used, "instance")).
				WithHint("remove the instances first; --force takes only the name")
		}
		for _, n := range names {
			delete(v.names, n)
		}
		gone = names
		if last && used == 0 {
			delete(v.images, id)
			gone = append(gone, id)
			parts = s.partsOf(r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return gone, s.dropUnneeded(parts...)
}

// nameMeant says whether name is a reference to the image rather than its id.
func (v *snapshot) nameMeant(name, id string) (string, bool) {
	if v.names[name] == id {
		return name, true
	}
	c, err := canonical(name)
	if err != nil || v.names[c] != id {
		return "", false
	}
	return c, true
}

// Tag gives an image one more name. A name that another image has moves.
func (s *Store) Tag(_ context.Context, source, name string) error {
	n, err := target(name)
	if err != nil {
		return err
	}
	return s.change(func(v *snapshot) error {
		r, err := v.find(source)
		if err != nil {
			return err
		}
		v.names[n] = r.image.ID
		return nil
	})
}

// Prune removes images without a name that no instance uses and that p takes;
// with All, also those with a name, but for the built-in one. Bytes counts what
// they had on disk.
func (s *Store) Prune(_ context.Context, p api.PruneRequest) (api.PruneReport, error) {
	report := api.PruneReport{Removed: []string{}}
	var parts []string
	err := s.change(func(v *snapshot) error {
		used := s.inUse()
		before := diskUse(v)
		for id, r := range v.images {
			names := v.namesOf(id)
			builtIn := slices.Contains(names, api.HelloImage+":latest")
			if used[id] > 0 || builtIn || len(names) > 0 && !p.All || !p.Takes(r.image.Created, r.image.Labels) {
				continue
			}
			for _, n := range names {
				delete(v.names, n)
			}
			delete(v.images, id)
			report.Removed = append(report.Removed, append(names, id)...)
			parts = append(parts, s.partsOf(r)...)
		}
		report.Bytes = before - diskUse(v)
		return nil
	})
	if err != nil {
		return api.PruneReport{}, err
	}
	return report, s.dropUnneeded(parts...)
}

// diskUse adds up the layers of all images, each counted once.
func diskUse(v *snapshot) int64 {
	layers, blobs := make(map[string]int64), make(map[string]int64)
	for _, r := range v.images {
		for _, l := range r.layers {
			layers[l.DiffID], blobs[l.Blob] = l.Size, l.Stored
		}
	}
	var n int64
	for _, m := range []map[string]int64{layers, blobs} {
		for _, b := range m {
			n += b
		}
	}
	return n
}

// partsOf lists the paths that an image may leave behind.
func (s *Store) partsOf(r *record) []string {
	p := []string{s.blobPath(r.manifest), s.blobPath(r.image.ID)}
	for _, l := range r.layers {
		p = append(p, s.blobPath(l.Blob), s.layerPath(l.DiffID))
	}
	return p
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
