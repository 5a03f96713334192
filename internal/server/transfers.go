package server

import (
	"context"
	"io"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) transferRoutes() {
	raw(s, http.MethodPost, "/v1/images/pull", "Fetch an image from a registry", eventStream, s.pull)
	raw(s, http.MethodPost, "/v1/images/push", "Send an image to a registry", eventStream, s.push)
	raw(s, http.MethodPost, "/v1/images/import", "Read an archive into the image store", eventStream, s.importImage)
	raw(s, http.MethodGet, "/v1/images/export", "Write images as an archive", tarStream, s.export)
}

// transfer streams the progress of do. Its last message has the image, or the
// error.
func (s *Server) transfer(r *http.Request, w http.ResponseWriter, action, name string,
	do func(ctx context.Context, report func(api.Progress)) (*api.Image, error)) error {
	ctx, done := s.lasting(r.Context())
	defer done()
	// An import reads its body while it reports.
	_ = http.NewResponseController(w).EnableFullDuplex()
	e := startEvents(w)
	img, err := do(ctx, func(p api.Progress) { _ = e.send("", p) })
	if err != nil {
		_ = e.send("", api.Progress{Action: "failed", Error: errorOf(err)})
		return nil
	}
	id := ""
	if img != nil {
		id = img.ID
	}
	s.recordImage(action, id, name)
	_ = e.send("", api.Progress{Action: "done", Image: img})
	return nil
}

type pullRequest struct{ Body api.PullRequest }

func (s *Server) pull(r *http.Request, w http.ResponseWriter, q *pullRequest) error {
	if q.Body.Reference == "" {
		return api.Invalid("reference", "a pull needs a reference")
	}
	return s.transfer(r, w, "pull", q.Body.Reference, func(ctx context.Context, report func(api.Progress)) (*api.Image, error) {
		img, err := s.Images.Pull(ctx, q.Body, report)
		return &img, err
	})
}

type pushRequest struct{ Body api.PushRequest }

func (s *Server) push(r *http.Request, w http.ResponseWriter, q *pushRequest) error {
	if q.Body.Image == "" {
		return api.Invalid("image", "a push needs an image")
	}
	if _, err := s.Images.Inspect(r.Context(), q.Body.Image); err != nil {
		return err
	}
	return s.transfer(r, w, "push", q.Body.Image, func(ctx context.Context, report func(api.Progress)) (*api.Image, error) {
		return nil, s.Images.Push(ctx, q.Body, report)
	})
}

type importRequest struct {
	Name string `query:"name" doc:"Name of the image; a docker archive and an OCI layout bring their own"`
}

func (s *Server) importImage(r *http.Request, w http.ResponseWriter, q *importRequest) error {
	return s.transfer(r, w, "import", q.Name, func(ctx context.Context, report func(api.Progress)) (*api.Image, error) {
		img, err := s.Images.Import(ctx, q.Name, r.Body, report)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(r.Body, 1<<20)) // what pads an archive
		}
		return &img, err
	})
}

type exportRequest struct {
	Names  []string         `query:"name,explode" required:"true" minItems:"1" maxItems:"1000" doc:"Name, digest or the beginning of an id; several make one archive"`
	Format api.ExportFormat `query:"format" enum:"oci,docker" default:"oci"`
}

func (s *Server) export(r *http.Request, w http.ResponseWriter, q *exportRequest) error {
	for _, name := range q.Names {
		if _, err := s.Images.Inspect(r.Context(), name); err != nil {
			return err
		}
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	w.Header().Set("Content-Type", tarStream)
	return s.Images.Export(ctx, q.Names, q.Format, w)
}
