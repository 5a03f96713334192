package image

import (
	"maps"
	"slices"
)

// snapshot is the index in memory. It is never changed once it is visible.
type snapshot struct {
	images map[string]*record // by id
	names  map[string]string  // canonical name to id
}

func newSnapshot() *snapshot {
	return &snapshot{images: make(map[string]*record), names: make(map[string]string)}
}

func (v *snapshot) clone() *snapshot {
	return &snapshot{images: maps.Clone(v.images), names: maps.Clone(v.names)}
}

// namesOf lists an image's names in order.
func (v *snapshot) namesOf(id string) []string {
	names := []string{}
	for n, i := range v.names {
		if i == id {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// needs returns the digests of all blobs and the diff ids of all layers that
// the images refer to.
func (v *snapshot) needs() (blobs, layers map[string]bool) {
	blobs, layers = make(map[string]bool), make(map[string]bool)
	for _, r := range v.images {
		blobs[r.manifest], blobs[r.image.ID] = true, true
		for _, l := range r.layers {
			blobs[l.Blob], layers[l.DiffID] = true, true
		}
	}
	return blobs, layers
}
