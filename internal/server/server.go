package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/event"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Volumes keeps the volumes of the node.
type Volumes interface {
	// Path is where a volume's files are.
	Path(id string) string
	// Method is how a size is enforced here, or the error that says why it
	// cannot be.
	Method() (api.DiskMethod, error)
	// Create makes a volume, with a limit unless size is 0. Idempotent.
	Create(ctx context.Context, id string, size int64) error
	// Grow changes the size of one that has a size, while it is used.
	Grow(ctx context.Context, id string, size int64) error
	// Usage is of a volume with a size.
	Usage(id string) (api.DiskUsage, error)
	// Claim keeps a volume for what is done to it, a participle, until done is
	// called; Conflict says who is in the way.
	Claim(id, name, what string) (done func(), err error)
	// Copy and Import make the content of a claimed volume, whether it is there
	// or new: the old or the new, whatever happens. report gets the bytes done.
	Copy(ctx context.Context, to, from *api.Volume, report func(int64)) (api.CopyReport, error)
	Import(ctx context.Context, v *api.Volume, r io.Reader, report func(int64)) error
	// Export writes a tar of what is in a volume.
	Export(ctx context.Context, v *api.Volume, compress bool, w io.Writer) error
	// Remove takes it away with what is in it, and says how many bytes that
	// freed. Idempotent.
	Remove(ctx context.Context, id string) (bytes int64, err error)
}

// Config is what a Server stands on. Every field is required but Metrics
// and Group.
type Config struct {
	Store *store.Store
	// Admission is shared with the controllers, so that nobody promises what
	// another one has promised.
	Admission *control.Admission
	Node      Node
	NodeName  string
	Images    Images
	Volumes   Volumes
	Services  Services
	Costs     Costs
	Events    *event.Log
	Version   string // of virga
	Log       *slog.Logger

	// Metrics answers /metrics; nil is not found.
	Metrics http.Handler
	// Group is the number of the group whose members may use the unix socket
	// beside root; 0 for none.
	Group int
}

// Server answers the API's calls.
type Server struct {
	Config
	networks control.Networks
	mux      *http.ServeMux
	api      huma.API
	http     *http.Server

	admitting sync.Mutex // one service at a time

	// streams are the calls that last; they end when the server is closed.
	streams context.Context
	end     context.CancelFunc
	open    sync.WaitGroup
}

// New makes a server. It answers nothing before Serve, but Handler may be used
// on its own.
func New(c Config) *Server {
	s := &Server{
		Config:   c,
		networks: control.Networks{Store: c.Store, Routes: c.Node.Routes},
		mux:      http.NewServeMux(),
	}
	s.streams, s.end = context.WithCancel(context.Background())
	s.api = humago.New(s.mux, openAPI(c.Version))
	useProblems()
	s.routes()
	s.http = &http.Server{
		Handler:           s.Handler(),
		ConnContext:       rememberPeer,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s
}

func openAPI(version string) huma.Config {
	json := huma.DefaultJSONFormat
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "virga", Version: version,
				Description: "Instances, images, volumes and networks of one cloud."},
			Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)},
		},
		OpenAPIPath:   "/v1/openapi",
		Formats:       map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat: "application/json",
	}
}

// Handler is the API with its authorization.
func (s *Server) Handler() http.Handler { return s.authorized(notFoundAsProblem(s.mux)) }

// Serve answers calls that come through l, until Close. It may be called for
// several listeners.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); err != http.ErrServerClosed {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Close ends the streams, then lets the calls under way finish until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.end()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	s.open.Wait()
	return err
}
