package store

import (
	"context"

	"github.com/virga-cloud/virga/api"
)

// Store is the set of tables over one backend.
type Store struct {
	Instances *Table[api.Instance]
	Volumes   *Table[api.Volume]
	Networks  *Table[api.Network]

	backend backend
}

// Memory is a store that forgets everything when the process ends.
func Memory() *Store {
	s, err := open(context.Background(), newMemory())
	if err != nil {
		panic(err) // an empty memory backend has nothing that could fail
	}
	return s
}

// open loads every table from b and keeps them current.
func open(ctx context.Context, b backend) (*Store, error) {
	s := &Store{
		Instances: newTable(b, "instances", func(o *api.Instance) *api.Meta { return &o.Meta }),
		Volumes:   newTable(b, "volumes", func(o *api.Volume) *api.Meta { return &o.Meta }),
		Networks:  newTable(b, "networks", func(o *api.Network) *api.Meta { return &o.Meta }),
		backend:   b,
	}
	for _, t := range []interface{ load(context.Context) error }{s.Instances, s.Volumes, s.Networks} {
		if err := t.load(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close makes the last writes durable and releases the backend.
func (s *Store) Close() error { return s.backend.close() }
