package image

// known finds a layer of the store, or of a transfer that runs, by the digest
// of its blob or by its diff id, and pins it.
func (t *tx) known(digest string) (layer, bool) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	l, ok := t.s.fresh[digest]
	if !ok {
		l, ok = t.s.view.Load().layer(digest)
	}
	if !ok {
		return layer{}, false
	}
	// What is in fresh or in the index has not been collected, and cannot be
	// while mu is held.
	for _, d := range []string{l.Blob, l.DiffID} {
		t.s.pins[d]++
		t.pins = append(t.pins, d)
	}
	return l, true
}

func (v *snapshot) layer(digest string) (layer, bool) {
	for _, r := range v.images {
		for _, l := range r.layers {
			if l.Blob == digest || l.DiffID == digest {
				return l, true
			}
		}
	}
	return layer{}, false
}
