package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
)

const (
	// maxMessage bounds what a client sends at once, in bytes.
	maxMessage = 1 << 20
	// specTimeout is how long the client of an exec or a run may take to say what
	// to run.
	specTimeout = 30 * time.Second
)

func (s *Server) sessionRoutes() {
	raw(s, http.MethodGet, "/v1/instances/{id}/attach", "Connect to an instance's first process (WebSocket)", "application/octet-stream", s.attach)
	raw(s, http.MethodGet, "/v1/run", "Create an instance, connect to its first process and start it (WebSocket)", "application/octet-stream", s.run)
	raw(s, http.MethodGet, "/v1/instances/{id}/exec", "Run a process in an instance and connect to it (WebSocket)", "application/octet-stream", s.exec)
	route(s, http.MethodPost, "/v1/instances/{id}/exec", "Run a process in an instance and leave it", s.execDetached)
}

type attachRequest struct {
	Target
	Start bool `query:"start" doc:"Start the instance once the streams are connected"`
	Logs  bool `query:"logs" doc:"Send first what the instance has written already"`
}

func (s *Server) attach(r *http.Request, w http.ResponseWriter, q *attachRequest) error {
	find := func() (*api.Instance, error) { return s.running(r.Context(), q.Target) }
	if q.Start {
		find = func() (*api.Instance, error) { return s.instance(q.Target) }
	}
	in, err := find()
	if err != nil {
		return err
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	sess, err := s.Node.Attach(ctx, in.ID)
	if err != nil {
		return err
	}
	defer sess.Close()
	life := in.Desired.Life
	if q.Start {
		now, started, err := s.Admission.Start(ctx, in.ID)
		if err != nil {
			return err
		}
		if started {
			return api.Errorf(api.CodeConflict, "instance %s is %s already", in.Name, now.Status.Phase).
				WithHint("attach to it without starting it")
		}
		life = now.Desired.Life
	}
	c, err := accept(w, r)
	if err != nil {
		return err
	}
	p := &pump{conn: c, session: sess}
	p.control(ctx, api.SessionControl{Ready: true})
	if q.Logs {
		p.replay(ctx, s.Node.Logs(ctx, in.ID, api.LogOptions{Tail: -1}))
	}
	s.hold(ctx, p, in, life)
	return nil
}

// hold moves a life's streams until it has ended and tells the end.
func (s *Server) hold(ctx context.Context, p *pump, in *api.Instance, life int) {
	last := p.run(ctx, func(ctx context.Context) (int, error) { return s.awaitExit(ctx, in.ID, life, p.session.Wait) })
	if last != nil && in.Spec.AutoRemove {
		// The exit is told when the name is free again.
		_, _ = s.Store.Instances.Await(ctx, in.ID, func(i *api.Instance) bool { return i.Desired.Life > life })
	}
	p.end(ctx, last)
}

// run is create and attach with start in one: one durable write and one round
// trip less. The streams are connected before the instance is stored, so that
// the node cannot start it before that.
func (s *Server) run(r *http.Request, w http.ResponseWriter, q *InProject) error {
	ctx, done := s.lasting(r.Context())
	defer done()
	c, err := accept(w, r)
	if err != nil {
		return err
	}
	p := &pump{conn: c}
	var in *api.Instance
	req, err := readFirst(ctx, c, parseCreate)
	if err == nil {
		in, err = s.Admission.Create(ctx, control.Creation{
			CreateRequest: req, Project: q.Project, Start: true,
			Before: func(in *api.Instance) (err error) {
				p.session, err = s.Node.AttachFirst(ctx, in.ID)
				return err
			},
		})
	}
	if p.session != nil {
		defer p.session.Close()
	}
	if err != nil {
		p.end(ctx, &api.SessionControl{Error: s.sessionError(err)})
		return nil
	}
	p.control(ctx, api.SessionControl{Ready: true, Instance: in.ID})
	s.hold(ctx, p, in, in.Desired.Life)
	return nil
}

// gonePatience is how long a session may take to tell the end of a life whose
// instance is gone.
const gonePatience = 5 * time.Second

// awaitExit returns the exit code of a life, or the error that kept it from
// starting. A session whose process never starts has no end of its own.
func (s *Server) awaitExit(ctx context.Context, id string, life int, wait func(context.Context) (int, error)) (int, error) {
	in, err := s.awaitLife(ctx, id, life)
	if in == nil && api.CodeOf(err) == api.CodeNotFound {
		// It removed itself at its end, which the session knows; or somebody did
		// before it started, and then nobody will tell.
		ctx, cancel := context.WithTimeout(ctx, gonePatience)
		defer cancel()
		if code, ended := wait(ctx); ended == nil {
			return code, nil
		}
	}
	if err := startError(in, err, life); err != nil {
		return 0, err
	}
	return wait(ctx)
}

func (s *Server) exec(r *http.Request, w http.ResponseWriter, t *Target) error {
	in, err := s.running(r.Context(), *t)
	if err != nil {
		return err
	}
	ctx, done := s.lasting(r.Context())
	defer done()
	c, err := accept(w, r)
	if err != nil {
		return err
	}
	p := &pump{conn: c}
	spec, err := readFirst(ctx, c, parseSpec)
	if err == nil {
		p.session, err = s.Node.Exec(ctx, in.ID, spec)
	}
	if err != nil {
		p.end(ctx, &api.SessionControl{Error: s.sessionError(err)})
		return nil
	}
	defer p.session.Close()
	s.record(in, "exec", "", map[string]string{"command": spec.Command[0]})
	p.control(ctx, api.SessionControl{Ready: true})
	p.end(ctx, p.run(ctx, p.session.Wait))
	return nil
}

func (s *Server) sessionError(err error) *api.Error {
	e := errorOf(err)
	if e.Code == api.CodeInternal {
		s.Log.Error("session", "err", err)
	}
	return e
}

// readFirst reads the first message of an exec or a run, which says what.
func readFirst[T any](ctx context.Context, c *websocket.Conn, parse func([]byte) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, specTimeout)
	defer cancel()
	var none T
	kind, msg, err := c.Read(ctx)
	if err != nil {
		return none, err
	}
	if kind != websocket.MessageText {
		return none, api.Errorf(api.CodeInvalid, "the first message of the session is what to run, as text")
	}
	return parse(msg)
}

func parseCreate(msg []byte) (api.CreateRequest, error) {
	var r api.CreateRequest
	d := json.NewDecoder(bytes.NewReader(msg))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, api.Errorf(api.CodeInvalid, "create request: %v", err)
	}
	return r, nil
}

func parseSpec(msg []byte) (api.ExecSpec, error) {
	var spec api.ExecSpec
	d := json.NewDecoder(bytes.NewReader(msg))
	d.DisallowUnknownFields()
	if err := d.Decode(&spec); err != nil {
		return spec, api.Errorf(api.CodeInvalid, "exec spec: %v", err)
	}
	return spec, validateExec(&spec)
}

func validateExec(spec *api.ExecSpec) error {
	if len(spec.Command) == 0 || spec.Command[0] == "" {
		return api.Invalid("command", "an exec needs a command")
	}
	return nil
}

type execDetached struct {
	Target
	Body api.ExecSpec
}

func (s *Server) execDetached(ctx context.Context, r *execDetached) (*none, error) {
	if err := validateExec(&r.Body); err != nil {
		return nil, err
	}
	in, err := s.running(ctx, r.Target)
	if err != nil {
		return nil, err
	}
	r.Body.Detach = true
	sess, err := s.Node.Exec(ctx, in.ID, r.Body)
	if err != nil {
		return nil, err
	}
	s.record(in, "exec", "", map[string]string{"command": r.Body.Command[0]})
	return &none{}, sess.Close()
}

// accept upgrades the request. Browsers are kept out: they send an Origin.
func accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	if r.Header.Get("Upgrade") == "" {
		return nil, api.Errorf(api.CodeInvalid, "this call is a WebSocket")
	}
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(maxMessage)
	return c, nil
}
