package store

import (
	"context"
	"log/slog"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/autoscale"
)

// Store is the set of tables over one backend.
type Store struct {
	Instances *Table[api.Instance]
	Volumes   *Table[api.Volume]
	Networks  *Table[api.Network]
	Rules     *Table[api.Rule]
	Groups    *Table[api.Group]
	Services  *Table[api.Service]
	Types     *Table[Type]
	Prices    *Table[PriceDay]
	Tokens    *Table[Token]
	Loads     *Table[Load]

	backend backend
}

// Type is an instance type that an operator made. It belongs to no project,
// and its Meta has the type's name.
type Type struct {
	api.Meta
	Type api.InstanceType `json:"type"`
}

// Token admits whoever knows the secret that Digest was made of. It belongs to
// no project.
type Token struct {
	api.Meta
	Digest string `json:"digest"` // SHA-256 in hex
}

// Load is the load of a group in the past. Its Meta has the group's id, name
// and project.
type Load struct {
	api.Meta
	autoscale.History
}

// PriceDay are the spot prices of a day. Its Meta has the day as its name and
// the node as its project.
type PriceDay struct {
	api.Meta
	Points []api.SpotPoint `json:"points"` // oldest first
}

// table is what a store does with each table.
type table interface {
	load(context.Context) error
	close()
}

// Memory is a store that forgets everything when the process ends.
func Memory() *Store {
	s, err := open(context.Background(), newMemory(), slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err) // an empty memory backend has nothing that could fail
	}
	return s
}

// open loads every table from b.
func open(ctx context.Context, b backend, log *slog.Logger) (*Store, error) {
	s := &Store{
		Instances: newTable(b, log, "instances", func(o *api.Instance) *api.Meta { return &o.Meta }),
		Volumes:   newTable(b, log, "volumes", func(o *api.Volume) *api.Meta { return &o.Meta }),
		Networks:  newTable(b, log, "networks", func(o *api.Network) *api.Meta { return &o.Meta }),
		Rules:     newTable(b, log, "rules", func(o *api.Rule) *api.Meta { return &o.Meta }),
		Groups:    newTable(b, log, "groups", func(o *api.Group) *api.Meta { return &o.Meta }),
		Services:  newTable(b, log, "services", func(o *api.Service) *api.Meta { return &o.Meta }),
		Types:     newTable(b, log, "types", func(o *Type) *api.Meta { return &o.Meta }),
		Tokens:    newTable(b, log, "tokens", func(o *Token) *api.Meta { return &o.Meta }),
		Loads:     newTable(b, log, "loads", func(o *Load) *api.Meta { return &o.Meta }),
		Prices:    newTable(b, log, "prices", func(o *PriceDay) *api.Meta { return &o.Meta }),
		backend:   b,
	}
	for _, t := range s.tables() {
		if err := t.load(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Store) tables() []table {
	return []table{s.Instances, s.Volumes, s.Networks, s.Rules, s.Groups, s.Services, s.Types, s.Prices, s.Tokens, s.Loads}
}

// Close makes the last writes durable and releases the backend.
func (s *Store) Close() error {
	for _, t := range s.tables() {
		t.close()
	}
	return s.backend.close()
}
