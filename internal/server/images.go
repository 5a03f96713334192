package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
)

func (s *Server) imageRoutes() {
	route(s, http.MethodGet, "/v1/images", "List images", s.listImages)
	route(s, http.MethodGet, "/v1/images/inspect", "Inspect an image", s.inspectImage)
	route(s, http.MethodGet, "/v1/images/history", "List the steps that made an image", s.imageHistory)
	route(s, http.MethodPost, "/v1/images/login", "Ask a registry whether it accepts a credential", s.login)
	route(s, http.MethodDelete, "/v1/images", "Take a name away, and the image with its last name", s.removeImage)
	route(s, http.MethodPost, "/v1/images/tag", "Give an image a further name", s.tagImage)
	route(s, http.MethodPost, "/v1/images/prune", "Remove images that no instance uses", s.pruneImages)
}

// usedImages counts instances by the image they use: its id once it is known,
// else the name they ask for.
func (s *Server) usedImages() map[string]int {
	used := map[string]int{}
	for _, in := range s.Store.Instances.Views() {
		if in.Status.Image != "" {
			used[in.Status.Image]++
			continue
		}
		used[in.Spec.Image]++
	}
	return used
}

// inUse counts the instances that use an image, by its id or one of its names.
func inUse(used map[string]int, img *api.Image) int {
	n := used[img.ID]
	for _, name := range img.Names {
		n += used[name]
	}
	return n
}

func (s *Server) listImages(ctx context.Context, _ *none) (*body[[]api.Image], error) {
	list, err := s.Images.List(ctx)
	used := s.usedImages()
	for i := range list {
		list[i].InUse = inUse(used, &list[i])
	}
	return &body[[]api.Image]{notNil(list)}, err
}

// ImageName is an image a call is about.
type ImageName struct {
	Name string `query:"name" required:"true" doc:"Name, digest or the beginning of an id"`
}

func (s *Server) inspectImage(ctx context.Context, q *ImageName) (*body[api.Image], error) {
	img, err := s.Images.Inspect(ctx, q.Name)
	img.InUse = inUse(s.usedImages(), &img)
	return &body[api.Image]{img}, err
}

func (s *Server) imageHistory(ctx context.Context, q *ImageName) (*body[[]api.ImageStep], error) {
	list, err := s.Images.History(ctx, q.Name)
	return &body[[]api.ImageStep]{notNil(list)}, err
}

type loginRequest struct{ Body api.LoginRequest }

func (s *Server) login(ctx context.Context, q *loginRequest) (*none, error) {
	return &none{}, s.Images.Login(ctx, q.Body)
}

type removeImage struct {
	ImageName
	Force bool `query:"force" doc:"Every name of the image, though instances were made from it"`
}

func (s *Server) removeImage(ctx context.Context, q *removeImage) (*body[[]string], error) {
	img, err := s.Images.Inspect(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	removed, err := s.Images.Remove(ctx, q.Name, q.Force)
	if err != nil {
		return nil, err
	}
	s.recordImage("remove", img.ID, q.Name)
	return &body[[]string]{notNil(removed)}, nil
}

type tagImage struct {
	Body struct {
		Source string `json:"source"`
		Target string `json:"target"`
	}
}

func (s *Server) tagImage(ctx context.Context, q *tagImage) (*none, error) {
	if err := s.Images.Tag(ctx, q.Body.Source, q.Body.Target); err != nil {
		return nil, err
	}
	s.recordImage("tag", "", q.Body.Target)
	return &none{}, nil
}

// Prune says what to remove; without a body all that has no name.
type Prune struct {
	Body *api.PruneRequest `required:"false"`
}

func (p *Prune) request() api.PruneRequest {
	if p.Body == nil {
		return api.PruneRequest{}
	}
	return *p.Body
}

func (s *Server) pruneImages(ctx context.Context, q *Prune) (*body[api.PruneReport], error) {
	r, err := s.Images.Prune(ctx, q.request())
	r.Removed = notNil(r.Removed)
	if len(r.Removed) > 0 {
		s.recordImage("prune", "", "")
	}
	return &body[api.PruneReport]{r}, err
}

func (s *Server) recordImage(action, id, name string) {
	s.Events.Append(api.Event{Kind: "image", Action: action, ID: id, Name: name})
}
