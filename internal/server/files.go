package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

const tarStream = "application/x-tar"

func (s *Server) fileRoutes() {
	raw(s, http.MethodGet, "/v1/instances/{id}/files", "Read a path of an instance as a tar", tarStream, s.readFiles)
	raw(s, http.MethodPut, "/v1/instances/{id}/files", "Unpack a tar into a directory of an instance", tarStream, s.writeFiles)
	route(s, http.MethodGet, "/v1/instances/{id}/changes", "List what an instance has changed of its image's files", s.changes)
}

func (s *Server) changes(ctx context.Context, t *Target) (*body[[]api.FileChange], error) {
	in, err := s.instance(*t)
	if err != nil {
		return nil, err
	}
	list, err := s.Node.Changes(ctx, in.ID)
	if list == nil {
		list = []api.FileChange{}
	}
	return &body[[]api.FileChange]{list}, err
}

type filesRequest struct {
	Target
	Path string `query:"path" required:"true" doc:"Absolute path inside the instance"`
}

func (s *Server) files(q *filesRequest) (*api.Instance, error) {
	if q.Path[0] != '/' {
		return nil, api.Invalid("path", "path %q is not absolute", q.Path)
	}
	return s.instance(q.Target)
}

func (s *Server) readFiles(r *http.Request, w http.ResponseWriter, q *filesRequest) error {
	in, err := s.files(q)
	if err != nil {
		return err
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	w.Header().Set("Content-Type", tarStream)
	return s.Node.ReadFiles(ctx, in.ID, q.Path, w)
}

func (s *Server) writeFiles(r *http.Request, w http.ResponseWriter, q *filesRequest) error {
	in, err := s.files(q)
	if err != nil {
		return err
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	if err := s.Node.WriteFiles(ctx, in.ID, q.Path, r.Body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
