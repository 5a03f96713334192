package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/virga-cloud/virga/api"
)

// fakeAPI is a daemon with fixed objects. It keeps what it was asked.
type fakeAPI struct {
	t         *testing.T
	socket    string
	instances []api.Instance
	images    []api.Image
	processes []api.Process
	volumes   []api.Volume
	networks  []api.Network
	events    []api.Event
	stats     []api.Stats
	// session plays the daemon's part of an attach or exec.
	session func(ctx context.Context, c *websocket.Conn)

	mu    sync.Mutex
	calls []string // "METHOD path?query body"
	specs []api.CreateRequest
	conns int
	vars  map[string]string // further environment
}

func newFake(t *testing.T) *fakeAPI {
	f := &fakeAPI{t: t, socket: filepath.Join(t.TempDir(), "s")}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: f, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.mu.Lock()
			f.conns++
			f.mu.Unlock()
		}
	}}}
	s.Start()
	t.Cleanup(s.Close)
	return f
}

// virga runs a command against the fake.
func (f *fakeAPI) virga(in string, args ...string) (status int, out, errs string) {
	f.t.Helper()
	var o, e bytes.Buffer
	a := &App{In: strings.NewReader(in), Out: &o, Err: &e, Version: "1.2.3", Env: f.env}
	status = a.Run(f.t.Context(), args)
	return status, o.String(), e.String()
}

func (f *fakeAPI) env(name string) (string, bool) {
	if v, ok := f.vars[name]; ok {
		return v, true
	}
	v, ok := map[string]string{"VIRGA_SOCKET": f.socket, "HOME": "/nonexistent", "OWN": "value"}[name]
	return v, ok
}

func (f *fakeAPI) called() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, "\n")
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	call := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/v1")
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case path == "/run":
		f.calls = append(f.calls, call)
		f.run(w, r)
		return
	case strings.HasSuffix(path, "/attach"), strings.HasSuffix(path, "/exec") && r.Method == "GET":
		f.calls = append(f.calls, call)
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			f.t.Error(err)
			return
		}
		f.mu.Unlock()
		defer f.mu.Lock()
		f.session(r.Context(), c)
		_ = c.Close(websocket.StatusNormalClosure, "")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.calls = append(f.calls, strings.TrimSpace(call+" "+string(body)))
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	problem := func(e *api.Error) {
		w.WriteHeader(e.Code.HTTPStatus())
		answer(map[string]any{"code": e.Code, "detail": e.Message, "hint": e.Hint, "field": e.Field})
	}
	switch {
	case path == "/instances" && r.Method == "GET":
		answer(f.instances)
	case path == "/instances":
		var req api.CreateRequest
		if err := json.Unmarshal(body, &req); err != nil {
			f.t.Error(err)
		}
		if !f.hasImage(req.Spec.Image) {
			problem(api.Errorf(api.CodeNotFound, "no image %q on this node", req.Spec.Image).InField("spec.image"))
			return
		}
		f.specs = append(f.specs, req)
		w.WriteHeader(http.StatusCreated)
		answer(api.Instance{Meta: api.Meta{ID: "abcdefghijklmnop", Name: "fresh"}, Spec: req.Spec})
	case path == "/volumes" && r.Method == "GET":
		answer(f.volumes)
	case path == "/volumes":
		answer(api.Volume{Meta: api.Meta{Name: "made"}})
	case path == "/networks":
		answer(f.networks)
	case path == "/types":
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	case path == "/events":
		for _, e := range f.events {
			b, _ := json.Marshal(e)
			_, _ = io.WriteString(w, "data: "+string(b)+"\n\n")
		}
	case path == "/version":
		answer(api.VersionInfo{Version: "4.5.6", API: "v1"})
	case path == "/stats":
		answer(f.stats)
	case path == "/images":
		answer(f.images)
	case path == "/images/inspect":
		for _, i := range f.images {
			if len(i.Names) > 0 && i.Names[0] == r.URL.Query().Get("name") {
				answer(i)
				return
			}
		}
		problem(api.Errorf(api.CodeNotFound, "no image").InField("image"))
	case path == "/images/history":
		answer([]api.ImageStep{
			{CreatedBy: "CMD [\"serve\"]"},
			{CreatedBy: "COPY app /", DiffID: "sha256:0123456789abcdef", Size: 2048, Comment: "by hand"},
		})
	case path == "/images/login":
		if !strings.Contains(string(body), `"password":"right"`) {
			problem(api.Errorf(api.CodeForbidden, "the registry does not accept the user name and password"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(path, "/changes"):
		answer([]api.FileChange{{Kind: api.FileAdded, Path: "/x", Size: 1024}, {Kind: api.FileDeleted, Path: "/y"}})
	case path == "/images/pull":
		var req api.PullRequest
		if err := json.Unmarshal(body, &req); err != nil {
			f.t.Error(err)
		}
		f.images = append(f.images, api.Image{Names: []string{req.Reference}})
		_, _ = io.WriteString(w, "data: {\"id\":\"l1\",\"action\":\"downloading\",\"total\":2048}\n\n"+
			"data: {\"id\":\"l1\",\"action\":\"done\"}\n\ndata: {\"action\":\"done\",\"image\":{\"id\":\"sha256:1\"}}\n\n")
	case strings.HasSuffix(path, "/logs"):
		for _, l := range []api.LogLine{
			{Time: "2026-01-02T12:00:00Z", Stream: "stdout", Text: "par", Partial: true},
			{Time: "2026-01-02T12:00:01Z", Stream: "stdout", Text: "tial"},
			{Time: "2026-01-02T12:00:02Z", Stream: "stderr", Text: "oops"},
		} {
			b, _ := json.Marshal(l)
			_, _ = io.WriteString(w, "data: "+string(b)+"\n\n")
		}
	case strings.HasPrefix(path, "/instances/"):
		name, verb, _ := strings.Cut(strings.TrimPrefix(path, "/instances/"), "/")
		for _, i := range f.instances {
			if i.Name == name || strings.HasPrefix(i.ID, name) {
				if verb == "" && r.Method == "GET" {
					answer(i)
				}
				if verb == "processes" {
					answer(f.processes)
				}
				if verb == "wait" {
					answer(map[string]int{"exitCode": 3})
				}
				return
			}
		}
		problem(api.Errorf(api.CodeNotFound, "no instance %q", name).WithHint("look"))
	default:
		problem(api.Errorf(api.CodeNotFound, "no %s", path))
	}
}

// run creates what the first message asks for, and then is a session. The
// caller holds mu.
func (f *fakeAPI) run(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	var req api.CreateRequest
	_, b, err := c.Read(r.Context())
	if err == nil {
		err = json.Unmarshal(b, &req)
	}
	if err != nil {
		f.t.Error(err)
		return
	}
	if !f.hasImage(req.Spec.Image) {
		sendControl(r.Context(), c, api.SessionControl{Error: api.Errorf(api.CodeNotFound, "no image %q on this node", req.Spec.Image).InField("spec.image")})
		return
	}
	f.specs = append(f.specs, req)
	f.mu.Unlock()
	defer f.mu.Lock()
	sendControl(r.Context(), c, api.SessionControl{Ready: true, Instance: "abcdefghijklmnop"})
	f.session(r.Context(), c)
}

func (f *fakeAPI) hasImage(name string) bool {
	for _, i := range f.images {
		if len(i.Names) > 0 && i.Names[0] == name {
			return true
		}
	}
	return false
}

// sendOutput, sendControl and expect are steps of a session.
func sendOutput(ctx context.Context, c *websocket.Conn, s api.Stream, text string) {
	_ = c.Write(ctx, websocket.MessageBinary, append([]byte{byte(s)}, text...))
}

func sendControl(ctx context.Context, c *websocket.Conn, m api.SessionControl) {
	b, _ := json.Marshal(m)
	_ = c.Write(ctx, websocket.MessageText, b)
}

// readInput gathers standard input until it is closed.
func readInput(ctx context.Context, c *websocket.Conn) string {
	var in strings.Builder
	for {
		kind, b, err := c.Read(ctx)
		if err != nil || kind == websocket.MessageBinary && len(b) == 1 {
			return in.String()
		}
		if kind == websocket.MessageBinary {
			in.Write(b[1:])
		}
	}
}
