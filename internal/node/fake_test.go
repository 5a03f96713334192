package node

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/disk"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/nft"
	"github.com/virga-cloud/virga/internal/network"
	"github.com/virga-cloud/virga/internal/volume"
)

// machine is the kernel of the tests: what the engine, the network and the
// images have. It outlives agents.
type machine struct {
	mu       sync.Mutex
	lives    map[string]*engine.Life // by instance, running or unforgotten
	kept     map[string]bool         // instances with a writable layer
	places   map[string]bool         // instances on the network
	starts   map[string]int          // newest life that was started
	limits   map[string]api.Resources
	cpus     map[string]string // by instance, what its claim came to
	signals  []string          // "<instance> <signal>"
	startErr error             // of the next starts
	image    api.Image
	// obeys are the signals that end a life, with its code.
	obeys map[string]int
	// exec is the exit code of every exec.
	exec int

	calls   int // of engine and network
	crashAt int // the call that never returns, 0 for none
	before  bool
}

func newMachine() *machine {
	return &machine{
		lives: map[string]*engine.Life{}, kept: map[string]bool{}, places: map[string]bool{},
		starts: map[string]int{}, limits: map[string]api.Resources{}, cpus: map[string]string{},
		obeys: map[string]int{"SIGTERM": 143, "SIGKILL": 137},
		image: api.Image{ID: "sha256:1", Config: api.ImageConfig{Command: []string{"run"}}},
	}
}

// call counts a call and does it; at crashAt the calling goroutine ends, just
// before or after the effect, as if the daemon had been killed there.
func call[T any](m *machine, do func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	dead := m.crashAt > 0 && m.calls > m.crashAt
	now := m.crashAt == m.calls
	if dead || now && m.before {
		runtime.Goexit()
	}
	v, err := do()
	if now {
		runtime.Goexit()
	}
	return v, err
}

func call0(m *machine, do func() error) error {
	_, err := call(m, func() (empty, error) { return empty{}, do() })
	return err
}

type empty struct{}

// fakeEngine is one daemon's engine over the machine.
type fakeEngine struct {
	*machine
	exits chan engine.Exit
}

func (e *fakeEngine) Start(_ context.Context, t engine.Task) (engine.Started, error) {
	if t.Gate != nil {
		if err := t.Gate(); err != nil {
			return engine.Started{}, err
		}
	}
	return call(e.machine, func() (engine.Started, error) {
		if e.startErr != nil {
			return engine.Started{}, e.startErr
		}
		if l, ok := e.lives[t.Instance]; ok && l.Exit == nil {
			if l.Number == t.Life {
				return engine.Started{PID: l.PID, Time: l.Started}, nil
			}
			panic(fmt.Sprintf("life %d of %s starts while %d runs", t.Life, t.Instance, l.Number))
		}
		if t.Life <= e.starts[t.Instance] {
			panic(fmt.Sprintf("life %d of %s starts twice", t.Life, t.Instance))
		}
		if !e.places[t.Instance] {
			panic("start without a place on the network")
		}
		e.starts[t.Instance] = t.Life
		e.kept[t.Instance] = true
		l := &engine.Life{Instance: t.Instance, Number: t.Life, PID: 100 + t.Life, Started: time.Now()}
		e.lives[t.Instance] = l
		e.limits[t.Instance] = t.Spec.Resources
		return engine.Started{PID: l.PID, Time: l.Started}, nil
	})
}

func (e *fakeEngine) Lives(ctx context.Context) ([]engine.Life, error) {
	return call(e.machine, func() ([]engine.Life, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var all []engine.Life
		for _, id := range slices.Sorted(maps.Keys(e.lives)) {
			all = append(all, *e.lives[id])
		}
		return all, nil
	})
}

func (e *fakeEngine) Exits() <-chan engine.Exit { return e.exits }

func (e *fakeEngine) Forget(_ context.Context, id string, life int) error {
	return call0(e.machine, func() error {
		l, ok := e.lives[id]
		if !ok || l.Number != life {
			return nil
		}
		if l.Exit == nil {
			panic("forget of a running life")
		}
		delete(e.lives, id)
		return nil
	})
}

func (e *fakeEngine) Remove(_ context.Context, id string) error {
	return call0(e.machine, func() error {
		if l, ok := e.lives[id]; ok && l.Exit == nil {
			panic("remove of a running instance")
		}
		delete(e.lives, id)
		delete(e.kept, id)
		return nil
	})
}

// end ends the running life as the workload or a signal would.
func (e *fakeEngine) end(id string, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endLocked(id, code)
}

func (e *fakeEngine) endLocked(id string, code int) {
	l := e.lives[id]
	x := engine.Exit{Instance: id, Life: l.Number, Code: code, Time: time.Now()}
	l.Exit = &x
	e.exits <- x
}

func (e *fakeEngine) Signal(_ context.Context, id, signal string) error {
	return call0(e.machine, func() error {
		l, ok := e.lives[id]
		if !ok || l.Exit != nil {
			return api.Errorf(api.CodeNotFound, "no process")
		}
		e.signals = append(e.signals, id+" "+signal)
		if code, ok := e.obeys[signal]; ok {
			e.endLocked(id, code)
		}
		return nil
	})
}

func (e *fakeEngine) Kill(_ context.Context, id string) error {
	return call0(e.machine, func() error {
		if l, ok := e.lives[id]; ok && l.Exit == nil {
			e.endLocked(id, 137)
		}
		return nil
	})
}

func (e *fakeEngine) Pause(_ context.Context, id string) error   { return e.freeze(id, true) }
func (e *fakeEngine) Unpause(_ context.Context, id string) error { return e.freeze(id, false) }

func (e *fakeEngine) freeze(id string, frozen bool) error {
	return call0(e.machine, func() error {
		e.lives[id].Paused = frozen
		return nil
	})
}

func (e *fakeEngine) Update(_ context.Context, id string, r api.Resources) error {
	return call0(e.machine, func() error {
		e.limits[id] = r
		return nil
	})
}

func (e *fakeEngine) Attach(context.Context, string, int) (engine.Session, error) { return nil, nil }

func (e *fakeEngine) Exec(context.Context, engine.Task, api.ExecSpec) (engine.Session, error) {
	return call(e.machine, func() (engine.Session, error) { return &fakeSession{code: e.exec}, nil })
}

func (e *fakeEngine) Stats(context.Context, string) (api.Stats, error)                { return api.Stats{}, nil }
func (e *fakeEngine) Processes(context.Context, string) ([]api.Process, error)        { return nil, nil }
func (e *fakeEngine) ReadFiles(context.Context, engine.Task, string, io.Writer) error { return nil }
func (e *fakeEngine) Changes(context.Context, engine.Task) ([]api.FileChange, error) {
	return nil, nil
}
func (e *fakeEngine) WriteFiles(context.Context, engine.Task, string, io.Reader) error {
	return nil
}

func (e *fakeEngine) Resources(context.Context) ([]api.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []api.Resource
	for id := range e.kept {
		all = append(all, api.Resource{Kind: "cgroup", Name: "virga/" + id, Owner: id})
	}
	return all, nil
}

func (e *fakeEngine) Collect(ctx context.Context, r api.Resource) error {
	if err := e.Kill(ctx, r.Owner); err != nil {
		return err
	}
	return e.Remove(ctx, r.Owner)
}

// fakeSession is an exec that says hello and ends.
type fakeSession struct {
	code int
	read bool
}

func (s *fakeSession) Read(context.Context) (api.Stream, []byte, error) {
	if s.read {
		return 0, nil, io.EOF
	}
	s.read = true
	return api.StreamStdout, []byte("hello"), nil
}
func (s *fakeSession) Write(p []byte) (int, error)          { return len(p), nil }
func (s *fakeSession) CloseStdin() error                    { return nil }
func (s *fakeSession) Resize(api.WindowSize) error          { return nil }
func (s *fakeSession) Signal(context.Context, string) error { return nil }
func (s *fakeSession) Wait(context.Context) (int, error)    { return s.code, nil }
func (s *fakeSession) Close() error                         { return nil }

type fakeNetwork struct{ *machine }

func (n fakeNetwork) Set(context.Context, []api.Network) error { return nil }

func (n fakeNetwork) Reconnect(context.Context, network.Request) (*network.Attachment, error) {
	return &network.Attachment{}, nil
}

func (n fakeNetwork) SetRules(context.Context, []api.Rule) error { return nil }

func (n fakeNetwork) RuleCounts() (map[string]nft.Count, error) { return nil, nil }

func (n fakeNetwork) Limit(context.Context, string, api.NetworkRate) error { return nil }
func (n fakeNetwork) Routes() ([]netip.Prefix, error)                      { return nil, nil }

func (n fakeNetwork) Attach(_ context.Context, r network.Request) (*network.Attachment, error) {
	return call(n.machine, func() (*network.Attachment, error) {
		n.places[r.Instance] = true
		return &network.Attachment{}, nil
	})
}

func (n fakeNetwork) Detach(_ context.Context, id string) error {
	return call0(n.machine, func() error {
		if l, ok := n.lives[id]; ok && l.Exit == nil {
			panic("detach of a running instance")
		}
		delete(n.places, id)
		return nil
	})
}

func (n fakeNetwork) Adopt(_ context.Context, r network.Request, _ []api.AddressOn, _ []api.Port) error {
	return call0(n.machine, func() error {
		n.places[r.Instance] = true
		return nil
	})
}

func (n fakeNetwork) Stats(context.Context, string) (api.NetStats, error) { return api.NetStats{}, nil }

func (n fakeNetwork) Resources(context.Context) ([]api.Resource, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []api.Resource
	for id := range n.places {
		all = append(all, api.Resource{Kind: "veth", Name: "vg" + id, Owner: id})
	}
	return all, nil
}

func (n fakeNetwork) Collect(ctx context.Context, r api.Resource) error {
	return n.Detach(ctx, r.Owner)
}

type fakeImages struct{ *machine }

func (i fakeImages) Resolve(_ context.Context, name string) (api.Image, []string, error) {
	if name == "missing" {
		return api.Image{}, nil, api.Errorf(api.CodeNotFound, "no image %q", name)
	}
	return i.image, []string{"/layer"}, nil
}
func (fakeImages) Resources(context.Context) ([]api.Resource, error) { return nil, nil }
func (fakeImages) Collect(context.Context, api.Resource) error       { return nil }

// fakeCPU gives what is asked for and knows who has something.
type fakeCPU struct{ m *machine }

func (c fakeCPU) note(id, what string) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if what == "" {
		delete(c.m.cpus, id)
		return
	}
	c.m.cpus[id] = what
}

func (c fakeCPU) Admit(k cpu.Claim) (cpu.Grant, error) {
	c.note(k.Instance, "admitted")
	return cpu.Grant{CPUs: k.CPUs, CPUSet: k.CPUSet}, nil
}
func (c fakeCPU) Change(k cpu.Claim) (cpu.Grant, error) { return c.Admit(k) }
func (c fakeCPU) Adopt(k cpu.Claim) (cpu.Grant, error) {
	c.note(k.Instance, "runs")
	return cpu.Grant{CPUs: k.CPUs, CPUSet: k.CPUSet}, nil
}
func (c fakeCPU) Started(id string)                               { c.note(id, "runs") }
func (c fakeCPU) Ended(id string)                                 { c.note(id, "ended") }
func (c fakeCPU) Release(id string)                               { c.note(id, "") }
func (c fakeCPU) Forget(id string)                                { c.note(id, "") }
func (c fakeCPU) Credits(string) (api.CPUCredits, bool)           { return api.CPUCredits{}, false }
func (c fakeCPU) Series(string, time.Duration) []api.CreditSample { return nil }

// daemon is an agent that runs over the machine and the store.
type daemon struct {
	*Agent
	engine *fakeEngine
	store  *store.Store
	dir    string
	stop   context.CancelFunc
	done   chan struct{}
	events []api.Event
}

// boot starts an agent; it runs until stop.
func boot(t *testing.T, m *machine, s *store.Store, dir string) *daemon {
	t.Helper()
	d := &daemon{engine: &fakeEngine{m, make(chan engine.Exit, 64)}, store: s, dir: dir, done: make(chan struct{})}
	var mu sync.Mutex
	disks := disk.Open(dir, slog.New(slog.DiscardHandler))
	d.Agent = New(Config{
		Name: "n1", DataDir: dir, Volumes: volume.New(dir+"/volumes", disks, nil), Disks: disks, Store: s,
		Engine: d.engine, Network: fakeNetwork{m}, Images: fakeImages{m}, CPU: fakeCPU{m},
		Logs: func(context.Context, string, api.LogOptions, <-chan struct{}) iter.Seq2[api.LogLine, error] {
			return func(func(api.LogLine, error) bool) {}
		},
		Features: func() []api.Feature { return nil },
		Record: func(e api.Event) {
			mu.Lock()
			defer mu.Unlock()
			d.events = append(d.events, e)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	d.stop = func() { cancel(); <-d.done }
	go func() {
		defer close(d.done)
		if err := d.Run(ctx, func() {}); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	return d
}

// create stores an instance that is bound to the node and desired to run.
func create(t *testing.T, s *store.Store, id string, spec api.InstanceSpec) {
	t.Helper()
	if err := s.Instances.Create(t.Context(), instance(id, spec)); err != nil {
		t.Fatal(err)
	}
}

// createAhead is create by somebody who tells the node before.
func createAhead(t *testing.T, d *daemon, id string, spec api.InstanceSpec) {
	t.Helper()
	in := instance(id, spec)
	as := *in
	stored := d.Ahead(&as)
	synctest.Wait()
	err := d.store.Instances.Create(t.Context(), in)
	stored(err == nil)
	if err != nil {
		t.Fatal(err)
	}
}

// instance is one that is to run.
func instance(id string, spec api.InstanceSpec) *api.Instance {
	if spec.Image == "" {
		spec.Image = "test"
	}
	return &api.Instance{
		Meta: api.Meta{ID: id, Name: "name-" + id, Project: "default"}, Spec: spec, Node: "n1",
		Desired: api.Desired{State: api.DesiredRunning, Life: 1}, Status: api.InstanceStatus{Phase: api.PhaseCreated},
	}
}

func (d *daemon) desire(t *testing.T, id string, change func(*api.Desired)) {
	t.Helper()
	_, err := d.store.Instances.Update(t.Context(), id, func(in *api.Instance) error { change(&in.Desired); return nil })
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until the instance's status is as wanted. Time in the tests is
// virtual: an hour of it means never.
func (d *daemon) await(t *testing.T, id, what string, until func(api.InstanceStatus) bool) *api.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	in, err := d.store.Instances.Await(ctx, id, func(in *api.Instance) bool { return until(in.Status) })
	if err != nil {
		now, _ := d.store.Instances.View(id)
		t.Fatalf("%s: %v; it is %+v", what, err, now)
	}
	return in
}

func (d *daemon) awaitPhase(t *testing.T, id string, p api.Phase) *api.Instance {
	t.Helper()
	return d.await(t, id, string(p), func(st api.InstanceStatus) bool { return st.Phase == p })
}

func (d *daemon) awaitGone(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	_, err := d.store.Instances.Await(ctx, id, func(*api.Instance) bool { return false })
	if api.CodeOf(err) != api.CodeNotFound {
		t.Fatalf("still there: %v", err)
	}
}

// leftovers is what the machine has of instances.
func (m *machine) leftovers() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.lives)+len(m.kept)+len(m.places) == 0 {
		return ""
	}
	return fmt.Sprintf("lives %v, layers %v, places %v", m.lives, m.kept, m.places)
}
