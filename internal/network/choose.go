package network

import (
	"net/netip"

	"github.com/virga-cloud/virga/api"
)

// choose claims the address asked for, else that of the earlier life, else any.
func (f *Fabric) choose(r Request, w *want) error {
	if w.addr.IsValid() {
		if f.claim(w.segment, w.addr) {
			return nil
		}
		return api.Errorf(api.CodeConflict, "address %s of network %s is taken", w.addr, w.segment.name).
			WithHint("leave the address out to get a free one")
	}
	if k := kept(r, w.segment); k.IsValid() && f.claim(w.segment, k) {
		w.addr = k
		return nil
	}
	var err error
	w.addr, err = f.address(w.segment)
	return err
}

// claim takes a certain address, also from a ready place or from what an
// earlier daemon left and is gone by now.
func (f *Fabric) claim(s *segment, a netip.Addr) bool {
	f.mu.Lock()
	ok := s.free.claim(a)
	_, left := f.left.places[leftAt{s, a}]
	f.mu.Unlock()
	switch {
	case ok:
		return true
	case left:
		links, err := f.conn.List()
		if err != nil {
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.vacate(links)
		return s.free.claim(a)
	case s == f.warm.segment:
		return f.warm.evict(a)
	}
	return false
}

// kept is the address of an earlier life on s, or the zero value.
func kept(r Request, s *segment) netip.Addr {
	for _, k := range r.Keep {
		if k.Network == s.name && s.free.holds(k.Address) {
			return k.Address
		}
	}
	return netip.Addr{}
}

func (f *Fabric) address(s *segment) (netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.free.take()
}

func (f *Fabric) free(s *segment, a netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.free.free(a)
}

func (f *Fabric) freeAll(wants []want) {
	for _, w := range wants {
		f.free(w.segment, w.addr)
	}
}
