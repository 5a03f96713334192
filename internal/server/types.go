package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) typeRoutes() {
	route(s, http.MethodGet, "/v1/types", "List instance types", s.listTypes)
	route(s, http.MethodPost, "/v1/types", "Add an instance type", s.createType)
	route(s, http.MethodGet, "/v1/types/{name}", "Inspect an instance type", s.inspectType)
	route(s, http.MethodDelete, "/v1/types/{name}", "Remove an instance type that was added", s.removeType)
}

// typeName is the type a call is about. Types belong to no project.
type typeName struct {
	Name string `path:"name"`
}

func (s *Server) listTypes(context.Context, *none) (*body[[]api.InstanceType], error) {
	return &body[[]api.InstanceType]{s.Admission.Types.List()}, nil
}

func (s *Server) inspectType(_ context.Context, n *typeName) (*body[api.InstanceType], error) {
	t, err := s.Admission.Types.Find(n.Name)
	return &body[api.InstanceType]{t}, err
}

type createType struct{ Body api.InstanceType }

type createdType struct {
	Status int
	Body   api.InstanceType
}

func (s *Server) createType(ctx context.Context, r *createType) (*createdType, error) {
	t, err := s.Admission.Types.Create(ctx, r.Body)
	return &createdType{http.StatusCreated, t}, err
}

func (s *Server) removeType(ctx context.Context, n *typeName) (*none, error) {
	return &none{}, s.Admission.Types.Remove(ctx, n.Name)
}
