package server

import (
	"context"
	"net/http"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

func (s *Server) stateRoutes() {
	route(s, http.MethodPost, "/v1/instances/{id}/start", "Start an instance, and wait until its workload runs", s.startInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/stop", "Stop an instance, and wait until its workload has ended", s.stopInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/restart", "Stop an instance and start it again", s.restartInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/pause", "Freeze an instance", s.pauseInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/unpause", "Thaw an instance", s.unpauseInstance)
	route(s, http.MethodPost, "/v1/instances/{id}/kill", "Send a signal to an instance's first process", s.killInstance)
	route(s, http.MethodGet, "/v1/instances/{id}/wait", "Wait for a state of an instance", s.waitInstance)
}

func (s *Server) startInstance(ctx context.Context, t *Target) (*none, error) {
	in, err := s.instance(*t)
	if err != nil {
		return nil, err
	}
	now, _, err := s.Admission.Start(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	_, err = s.awaitStart(ctx, &now, now.Desired.Life)
	return &none{}, err
}

// awaitStart waits until the workload of a life runs, or has run, and returns
// the error of one that could not be started.
func (s *Server) awaitStart(ctx context.Context, in *api.Instance, life int) (*api.Instance, error) {
	now, err := s.awaitLife(ctx, in.ID, life)
	if now == nil && in.Spec.AutoRemove && api.CodeOf(err) == api.CodeNotFound {
		return in, nil // it has run, and removed itself
	}
	return now, startError(now, err, life)
}

// awaitLife waits until a life has started, or cannot any more. The instance is
// nil when it was gone before anything was seen of it.
func (s *Server) awaitLife(ctx context.Context, id string, life int) (*api.Instance, error) {
	return s.Store.Instances.Await(ctx, id, func(i *api.Instance) bool {
		return i.Status.Life >= life && i.Status.Phase != api.PhaseStarting || i.Desired.Remove
	})
}

// startError is what kept the life from starting, given what awaitLife returned.
func startError(in *api.Instance, err error, life int) error {
	switch {
	case err != nil && (in == nil || api.CodeOf(err) != api.CodeNotFound):
		return err
	case in.Status.Life >= life && in.Status.Error != nil:
		return in.Status.Error
	case in.Status.Life < life && (err != nil || in.Desired.Remove):
		return api.Errorf(api.CodeConflict, "instance %s was removed before it started", in.Name)
	}
	return nil
}

type stopInstance struct {
	Target
	Body *api.StopRequest `required:"false"`
}

// stopRequest checks the request, which may be absent.
func (r *stopInstance) stopRequest() (api.StopRequest, error) {
	if r.Body == nil {
		return api.StopRequest{}, nil
	}
	if g := r.Body.Signal; g != "" && !control.ValidSignal(g) {
		return *r.Body, api.Invalid("signal", "unknown signal %q", g).WithHint("a name such as SIGTERM, or a number from 1 to 64")
	}
	return *r.Body, nil
}

func (s *Server) stopInstance(ctx context.Context, r *stopInstance) (*none, error) {
	req, err := r.stopRequest()
	if err != nil {
		return nil, err
	}
	in, err := s.instance(r.Target)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Instances.Update(ctx, in.ID, func(i *api.Instance) error {
		if i.Interrupted() { // its user wants it no more: it is not to be resumed
			i.Spot.Notice = nil
		}
		i.Desired.State = api.DesiredStopped
		i.Desired.StopSignal, i.Desired.StopTimeout = req.Signal, req.Timeout
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Instances.Await(ctx, in.ID, func(i *api.Instance) bool { return i.Status.Phase.Ended() })
	if api.CodeOf(err) == api.CodeNotFound {
		err = nil // removed when it had stopped
	}
	return &none{}, err
}

func (s *Server) restartInstance(ctx context.Context, r *stopInstance) (*none, error) {
	req, err := r.stopRequest()
	if err != nil {
		return nil, err
	}
	in, err := s.instance(r.Target)
	if err != nil {
		return nil, err
	}
	now, err := s.Admission.Restart(ctx, in.ID, req)
	if err != nil {
		return nil, err
	}
	s.record(&now, "restart", "", nil)
	_, err = s.awaitStart(ctx, &now, now.Desired.Life)
	return &none{}, err
}

func (s *Server) pauseInstance(ctx context.Context, t *Target) (*none, error) {
	return s.follow(ctx, t, api.DesiredPaused, api.PhasePaused, api.PhaseRunning)
}

func (s *Server) unpauseInstance(ctx context.Context, t *Target) (*none, error) {
	return s.follow(ctx, t, api.DesiredRunning, api.PhaseRunning, api.PhasePaused)
}

// follow asks for a state that an instance reaches from one phase only, and
// waits for the phase that shows it.
func (s *Server) follow(ctx context.Context, t *Target, want api.DesiredState, shows, from api.Phase) (*none, error) {
	if err := s.Node.Known(ctx); err != nil {
		return nil, err
	}
	in, err := s.instance(*t)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Instances.Update(ctx, in.ID, func(i *api.Instance) error {
		if i.Status.Phase != shows && i.Status.Phase != from || i.Desired.State == api.DesiredStopped {
			return api.Errorf(api.CodeConflict, "instance %s is %s, not %s", i.Name, i.Status.Phase, from)
		}
		if i.Interrupted() {
			return api.Errorf(api.CodeConflict, "instance %s is hibernated by the spot market", i.Name).
				WithHint("it goes on when there is room; virga stop %s ends it", i.Name)
		}
		i.Desired.State = want
		return nil
	})
	if err != nil {
		return nil, err
	}
	now, err := s.Store.Instances.Await(ctx, in.ID, func(i *api.Instance) bool {
		return i.Status.Phase == shows || i.Status.Phase.Ended() || i.Desired.State != want
	})
	if err == nil && now.Status.Phase != shows {
		err = api.Errorf(api.CodeConflict, "instance %s became %s instead of %s", now.Name, now.Status.Phase, shows)
	}
	return &none{}, err
}

type killInstance struct {
	Target
	Body *struct {
		Signal string `json:"signal,omitempty" doc:"Default SIGKILL"`
	} `required:"false"`
}

func (s *Server) killInstance(ctx context.Context, r *killInstance) (*none, error) {
	signal := "SIGKILL"
	if r.Body != nil && r.Body.Signal != "" {
		signal = r.Body.Signal
	}
	if !control.ValidSignal(signal) {
		return nil, api.Invalid("signal", "unknown signal %q", signal).WithHint("a name such as SIGTERM, or a number from 1 to 64")
	}
	in, err := s.running(ctx, r.Target)
	if err != nil {
		return nil, err
	}
	return &none{}, s.Node.Signal(ctx, in.ID, signal)
}

// running finds an instance whose workload is alive.
func (s *Server) running(ctx context.Context, t Target) (*api.Instance, error) {
	if err := s.Node.Known(ctx); err != nil {
		return nil, err
	}
	in, err := s.instance(t)
	if err != nil {
		return nil, err
	}
	switch in.Status.Phase {
	case api.PhaseRunning, api.PhasePaused, api.PhaseStopping:
		return in, nil
	}
	return nil, api.Errorf(api.CodeConflict, "instance %s is %s, not running", in.Name, in.Status.Phase).
		WithHint("start it first: virga start %s", in.Name)
}

type waitInstance struct {
	Target
	For string `query:"for" enum:"stopped,running,healthy,removed" default:"stopped" doc:"The state to wait for"`
}

// ExitCode is the answer of a wait.
type ExitCode struct {
	ExitCode int `json:"exitCode" doc:"Of the last life; 0 while it runs"`
}

func (s *Server) waitInstance(ctx context.Context, r *waitInstance) (*body[ExitCode], error) {
	in, err := s.instance(r.Target)
	if err != nil {
		return nil, err
	}
	last, err := s.Store.Instances.Await(ctx, in.ID, func(i *api.Instance) bool { return reached(i, r.For) })
	gone := api.CodeOf(err) == api.CodeNotFound && last != nil
	switch {
	case err != nil && !gone:
		return nil, err
	case gone && (r.For == "running" || r.For == "healthy"):
		return nil, api.Errorf(api.CodeConflict, "instance %s was removed before it was %s", last.Name, r.For)
	case r.For == "stopped" && last.Status.Phase == api.PhaseFailed && last.Status.Error != nil:
		return nil, last.Status.Error
	}
	out := &body[ExitCode]{}
	if last.Status.ExitCode != nil {
		out.Body.ExitCode = *last.Status.ExitCode
	}
	return out, nil
}

func reached(i *api.Instance, state string) bool {
	switch state {
	case "stopped":
		return i.Status.Phase == api.PhaseStopped || i.Status.Phase == api.PhaseFailed
	case "running":
		return i.Status.Phase == api.PhaseRunning
	case "healthy":
		return i.Status.Health != nil && i.Status.Health.State == api.HealthHealthy
	}
	return false // removed: the end of the object
}
