package deploy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// fakeNode answers the calls of a Deployment from memory. Everything it makes
// runs and is healthy at once. Names are ids.
type fakeNode struct {
	mu sync.Mutex // guards all below
	// objects are by kind, such as "groups", and name.
	objects map[string]map[string]any
	writes  []string // what was asked for, such as "POST groups shop-web"
	// failAt is which write is the last that is done: its answer and all
	// writes after it fail, as if the command had been killed. 0 is none.
	failAt int
}

// newFake serves a fake and returns it with a Deployment that acts on it.
func newFake(t *testing.T) (*fakeNode, *Deployment) {
	t.Helper()
	n := &fakeNode{objects: map[string]map[string]any{}}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: n}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	client := api.Dial(socket)
	t.Cleanup(func() {
		_ = client.Close()
		if err := errors.Join(s.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return n, &Deployment{Client: client, Project: "shop", FilesDir: t.TempDir()}
}

// asked returns the writes since the last call, in order of their text.
func (n *fakeNode) asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.writes
	n.writes = nil
	slices.Sort(list)
	return list
}

func (n *fakeNode) names(kind string) (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.objects[kind] {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	kind, name, verb := parts[0], "", ""
	if len(parts) > 1 {
		name = parts[1]
	}
	if len(parts) > 2 {
		verb = parts[2]
	}
	if r.Method == http.MethodGet {
		n.answer(w, n.read(kind, name, r))
		return
	}
	if n.failAt > 0 && len(n.writes) >= n.failAt {
		n.answer(w, api.Errorf(api.CodeUnavailable, "killed before %s %s", r.Method, r.URL.Path))
		return
	}
	out := n.write(r, kind, name, verb)
	if n.failAt > 0 && len(n.writes) >= n.failAt {
		out = api.Errorf(api.CodeUnavailable, "killed after %s %s", r.Method, r.URL.Path)
	}
	n.answer(w, out)
}

func (n *fakeNode) answer(w http.ResponseWriter, out any) {
	if e, ok := out.(*api.Error); ok {
		w.WriteHeader(map[api.Code]int{api.CodeNotFound: 404, api.CodeConflict: 409}[e.Code] | 400)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// read answers a GET: an object, or all of a kind.
func (n *fakeNode) read(kind, name string, r *http.Request) any {
	if kind == "images" {
		return api.Image{ID: "sha256:" + r.URL.Query().Get("name")}
	}
	if name != "" {
		if o, ok := n.objects[kind][name]; ok {
			return o
		}
		return api.Errorf(api.CodeNotFound, "no %s %s", kind, name)
	}
	list := []any{}
	for _, o := range n.objects[kind] {
		if in, ok := o.(*api.Instance); ok {
			label, value, _ := strings.Cut(r.URL.Query().Get("label"), "=")
			if in.Labels[label] != value {
				continue
			}
		}
		list = append(list, o)
	}
	return list
}

// write carries out what is not a GET.
func (n *fakeNode) write(r *http.Request, kind, name, verb string) any {
	var o any
	decode := func(v any) {
		if err := json.NewDecoder(r.Body).Decode(v); err != nil {
			panic(err)
		}
	}
	switch {
	case r.Method == http.MethodDelete:
		delete(n.objects[kind], name)
	case kind == "instances" && name == "":
		var c api.CreateRequest
		decode(&c)
		name = c.Name
		in := &api.Instance{Meta: api.Meta{ID: name, Name: name, Labels: c.Labels}, Spec: c.Spec}
		in.Status = api.InstanceStatus{Phase: api.PhaseRunning, Image: "sha256:" + c.Spec.Image}
		if c.Spec.Health != nil {
			in.Status.Health = &api.HealthStatus{State: api.HealthHealthy}
		}
		o = in
	case kind == "instances" && verb == "stop":
		code := 137
		in := n.objects[kind][name].(*api.Instance)
		in.Status.Phase, in.Status.ExitCode = api.PhaseStopped, &code
		o = in
	case kind == "groups" && verb != "":
		o = n.change(n.objects[kind][name].(*api.Group), verb, decode)
	case kind == "groups":
		var c api.GroupRequest
		decode(&c)
		name = c.Name
		o = steadyGroup(&api.Group{Meta: api.Meta{ID: name, Name: name, Labels: c.Labels}, Spec: c.Spec})
	case kind == "services" && r.Method == http.MethodPut:
		have := n.objects[kind][name].(*api.Service)
		decode(&have.Spec)
		o = have
	case kind == "services":
		var c api.ServiceRequest
		decode(&c)
		name = c.Name
		o = &api.Service{Meta: api.Meta{ID: name, Name: name, Labels: c.Labels}, Spec: c.Spec}
	case kind == "networks":
		var c api.NetworkRequest
		decode(&c)
		name = c.Name
		o = &api.Network{Meta: api.Meta{ID: name, Name: name, Labels: c.Labels}}
	case kind == "volumes":
		var c api.VolumeRequest
		decode(&c)
		name = c.Name
		o = &api.Volume{Meta: api.Meta{ID: name, Name: name, Labels: c.Labels}}
	case kind == "rules":
		var c api.RuleSpec
		decode(&c)
		name = c.From
		if have, ok := n.objects[kind][name]; ok {
			return have // one that is there is no error
		}
		o = &api.Rule{Meta: api.Meta{ID: name}, Spec: c}
	default:
		panic(fmt.Sprintf("%s %s is not faked", r.Method, r.URL.Path))
	}
	n.writes = append(n.writes, strings.TrimSuffix(cmp.Or(strings.ToUpper(verb), r.Method)+" "+kind+" "+name, " "))
	if o == nil {
		return struct{}{}
	}
	if n.objects[kind] == nil {
		n.objects[kind] = map[string]any{}
	}
	n.objects[kind][name] = o
	return o
}

// change updates or scales a group, as the server does.
func (n *fakeNode) change(g *api.Group, verb string, decode func(any)) *api.Group {
	switch verb {
	case "update":
		var u api.GroupUpdate
		decode(&u)
		g.Spec.Template, g.Spec.Labels, g.Spec.Update = *u.Template, u.Labels, *u.Update
		if g.Spec.Purchase = u.Purchase; *u.Purchase == (api.Purchase{}) {
			g.Spec.Purchase = nil
		}
	case "scale":
		var s api.ScaleRequest
		decode(&s)
		g.Spec.Desired, g.Spec.Min, g.Spec.Max, g.Spec.Scaling = *s.Desired, *s.Min, *s.Max, s.Scaling
	}
	return steadyGroup(g)
}

func steadyGroup(g *api.Group) *api.Group {
	n := g.Spec.Desired
	g.Status = api.GroupStatus{Phase: api.GroupSteady, Instances: n, Ready: n, Current: n}
	g.Revisions = []api.GroupRevision{{Number: 1, Image: "sha256:" + g.Spec.Template.Image}}
	return g
}
