package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/virga-cloud/virga/api"
)

// InProject is the project a call is about.
type InProject struct {
	Project string `query:"project" default:"default" doc:"Project; default default"`
}

// Target is an object a call is about.
type Target struct {
	InProject
	ID string `path:"id" doc:"Id, name or the beginning of an id"`
}

// body carries an answer.
type body[T any] struct{ Body T }

// none is the answer of a call that has nothing to say.
type none struct{}

// route registers one call.
func route[I, O any](s *Server, method, path, summary string, handle func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, operation(method, path, summary), func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
}

// raw registers a call that reads the request or writes the answer itself. An
// error before its first byte is answered as a problem.
func raw[I any](s *Server, method, path, summary, contentType string, handle func(r *http.Request, w http.ResponseWriter, in *I) error) {
	op := operation(method, path, summary)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "A stream",
		Content:     map[string]*huma.MediaType{contentType: {}},
	}}
	if method == http.MethodPut || strings.HasSuffix(path, "/import") {
		op.RequestBody = &huma.RequestBody{Required: true, Description: "An archive",
			Content: map[string]*huma.MediaType{"application/octet-stream": {}}}
	}
	huma.Register(s.api, op, func(_ context.Context, in *I) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			t := &tracked{ResponseWriter: w}
			if err := handle(r, t, in); err != nil {
				s.fail(r, t, err)
			}
		}}, nil
	})
}

func operation(method, path, summary string) huma.Operation {
	name := strings.NewReplacer("/v1/", "", "/", "-", "{", "", "}", "").Replace(path)
	tag, _, _ := strings.Cut(name, "-")
	return huma.Operation{
		OperationID: strings.ToLower(method) + "-" + name,
		Method:      method, Path: path, Summary: summary, Tags: []string{tag},
	}
}

// problem is err for the client; the log gets what someone must look at.
func (s *Server) problem(ctx context.Context, err error) *Problem {
	p := problemOf(err)
	if p.Code == api.CodeInternal && ctx.Err() == nil {
		s.Log.Error("request", "err", err)
	}
	return p
}

// fail ends a raw call with an error: as a problem when nothing was sent, else
// by breaking off, so that the client does not take a part for the whole.
func (s *Server) fail(r *http.Request, t *tracked, err error) {
	p := s.problem(r.Context(), err)
	if t.sent {
		panic(http.ErrAbortHandler)
	}
	writeProblem(t, p)
}

// tracked knows whether the answer has begun.
type tracked struct {
	http.ResponseWriter
	sent bool
}

func (t *tracked) WriteHeader(status int) { t.sent = true; t.ResponseWriter.WriteHeader(status) }

func (t *tracked) Write(p []byte) (int, error) { t.sent = true; return t.ResponseWriter.Write(p) }

// Unwrap gives http.ResponseController what it needs.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }
