package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/balancer"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/ledger"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/metrics"
	"github.com/virga-cloud/virga/internal/node"
	"github.com/virga-cloud/virga/internal/volume"
)

// figures are what /metrics shows.
type figures struct {
	*node.Agent
	cpu       node.CPU
	store     *store.Store
	admission *control.Admission
	services  *balancer.Controller
	ledger    *ledger.Ledger
	volumes   *volume.Store
}

func (f figures) Capacity(ctx context.Context) (api.NodeCapacity, error) {
	n, err := f.Info(ctx)
	if err != nil {
		return api.NodeCapacity{}, err
	}
	return f.admission.Capacity(n.Capacity.Used), nil
}

func (f figures) Instances() []*api.Instance { return f.store.Instances.Views() }

func (f figures) Services() []api.Service {
	var out []api.Service
	for _, s := range f.store.Services.Views() {
		c := *s
		c.Status = f.services.Status(s)
		out = append(out, c)
	}
	return out
}

func (f figures) Volumes(most int) []api.Volume {
	var out []api.Volume
	for _, v := range f.store.Volumes.Views() {
		if len(out) == most {
			break
		}
		c := *v
		if c.Size > 0 {
			if u, err := f.volumes.Usage(c.ID); err == nil { // else it was not made yet
				c.Usage = &u
			}
		}
		out = append(out, c)
	}
	return out
}

// SpotMarket implements metrics.SpotSource.
func (f figures) SpotMarket() api.SpotMarket { return f.admission.SpotMarket() }

func (f figures) Credits(id string) (api.CPUCredits, bool) { return f.cpu.Credits(id) }

// serveMetrics answers scrapes on a loopback address until ctx ends.
func serveMetrics(ctx context.Context, addr string, h http.Handler, log *slog.Logger) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return api.Errorf(api.CodeConflict, "metrics-listen: %v", err).WithHint("choose a free port, or leave the setting out")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	s := &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics on %s: %w", addr, err)
	}
	return nil
}

var (
	_ metrics.ServiceSource = figures{}
	_ metrics.VolumeSource  = figures{}
	_ metrics.SpotSource    = figures{}
)
