package volume

import (
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// hold is an instance's use of a volume in one of its lives.
type hold struct {
	name   string
	writes bool
}

// Hold takes note that an instance uses a volume, before it does. It is a
// Conflict that says who is in the way when the volume's access does not allow
// it, or something is being done to the volume. Idempotent.
func (s *Store) Hold(v *api.Volume, instance, name string, writes bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what := s.claims[v.ID]; what != "" {
		return api.Errorf(api.CodeConflict, "volume %s is being %s", v.Name, what).WithHint("try again when that is done")
	}
	if writes && v.Access == api.AccessReadOnly {
		return api.Errorf(api.CodeConflict, "volume %s is read-only, and instance %s would write to it", v.Name, name).
			WithHint("mount it read-only: -v %s:PATH:ro", v.Name)
	}
	if v.Access == api.AccessExclusive {
		for id, h := range s.holds[v.ID] {
			if id != instance && (writes || h.writes) {
				return api.Errorf(api.CodeConflict, "volume %s is exclusive and held by instance %s", v.Name, h.name).
					WithHint("stop %s first, or change the volume: virga volume update --access shared %s", h.name, v.Name)
			}
		}
	}
	if s.holds[v.ID] == nil {
		s.holds[v.ID] = map[string]hold{}
	}
	h := s.holds[v.ID][instance]
	s.holds[v.ID][instance] = hold{name, writes || h.writes}
	return nil
}

// Release takes note that an instance uses no volume any more. Idempotent.
func (s *Store) Release(instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v, users := range s.holds {
		if delete(users, instance); len(users) == 0 {
			delete(s.holds, v)
		}
	}
}

// Holders are the names of the instances that use a volume now.
func (s *Store) Holders(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holders(id)
}

// +checklocks:s.mu
func (s *Store) holders(id string) []string {
	var names []string
	for _, h := range s.holds[id] {
		names = append(names, h.name)
	}
	slices.Sort(names)
	return names
}

// written reports whether an instance that may write uses a volume.
func (s *Store) written(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.holds[id] {
		if h.writes {
			return true
		}
	}
	return false
}

// Claim keeps a volume for what is done to it, a participle such as restored,
// until done is called. It is a Conflict that says by whom when it is used.
func (s *Store) Claim(id, name, what string) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.claims[id]; other != "" {
		return nil, api.Errorf(api.CodeConflict, "volume %s is being %s", name, other).WithHint("try again when that is done")
	}
	if s.reading[id] > 0 {
		return nil, api.Errorf(api.CodeConflict, "volume %s is being copied", name).WithHint("try again when that is done")
	}
	if by := s.holders(id); len(by) > 0 {
		return nil, api.Errorf(api.CodeConflict, "volume %s is in use by %s", name, strings.Join(by, ", ")).
			WithHint("stop %s first", strings.Join(by, " "))
	}
	s.claims[id] = what
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.claims, id)
	}, nil
}

// read keeps a volume from being removed or replaced while it is copied.
func (s *Store) read(id, name string) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what := s.claims[id]; what != "" {
		return nil, api.Errorf(api.CodeConflict, "volume %s is being %s", name, what).WithHint("try again when that is done")
	}
	s.reading[id]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.reading[id]--; s.reading[id] == 0 {
			delete(s.reading, id)
		}
	}, nil
}

// working reports whether the next content of a volume is put together.
func (s *Store) working(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[id] != ""
}

// Working are the ids of volumes that something is done to; their objects may
// not be stored yet.
func (s *Store) Working() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.claims {
		ids = append(ids, id)
	}
	return ids
}
