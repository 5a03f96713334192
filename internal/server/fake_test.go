package server

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control"
	"github.com/virga-cloud/virga/internal/control/event"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/engine"
)

// fakeNode follows the store as a node does, with workloads that are nothing
// but a state. An instance whose command is "fail" cannot be started, one of
// "exit" ends at once, any other runs until it is stopped or signalled.
type fakeNode struct {
	store *store.Store
	code  int // exit code of every workload

	takeUp func() // what the first question after the daemon's start waits for; nil for nothing

	mu       sync.Mutex
	sessions map[string]*fakeSession
	files    map[string]string
	signals  []string
}

// step does the next thing for an instance, false when there is none.
func (n *fakeNode) step(id string) bool {
	in, err := n.store.Instances.ByID(id)
	if err != nil {
		return false
	}
	alive := in.Status.PID != 0
	set := func(change func(*api.InstanceStatus)) bool {
		_, err := n.store.Instances.Update(context.Background(), id, func(i *api.Instance) error { change(&i.Status); return nil })
		return err == nil
	}
	switch {
	case alive && (in.Desired.State == api.DesiredStopped || in.Desired.Life > in.Status.Life):
		return set(n.exited)
	case alive && in.Desired.State == api.DesiredPaused && in.Status.Phase == api.PhaseRunning:
		return set(func(s *api.InstanceStatus) { s.Phase = api.PhasePaused })
	case alive && in.Desired.State == api.DesiredRunning && in.Status.Phase == api.PhasePaused:
		return set(func(s *api.InstanceStatus) { s.Phase = api.PhaseRunning })
	case alive:
		return false
	case in.Desired.Remove, in.Spec.AutoRemove && in.Status.Life > 0 && in.Status.Life >= in.Desired.Life:
		_ = n.store.Instances.Delete(context.Background(), id)
		return false
	case in.Desired.State == api.DesiredRunning && in.Status.Life < in.Desired.Life:
		return n.start(&in, set)
	}
	return false
}

func (n *fakeNode) start(in *api.Instance, set func(func(*api.InstanceStatus)) bool) bool {
	command := strings.Join(in.Spec.Command, " ")
	if command == "fail" {
		e := api.Errorf(api.CodeNotFound, "no command %q", command).InField("spec.command")
		return set(func(s *api.InstanceStatus) {
			s.Phase, s.Life, s.Error, s.Reason = api.PhaseFailed, in.Desired.Life, e, e.Message
		})
	}
	return set(func(s *api.InstanceStatus) {
		*s = api.InstanceStatus{Phase: api.PhaseRunning, Life: in.Desired.Life, PID: 1}
		if command == "exit" {
			n.exited(s)
		}
		if sess := n.session(in.ID); sess != nil {
			sess.begin(command)
		}
	})
}

func (n *fakeNode) exited(s *api.InstanceStatus) {
	code := n.code
	s.Phase, s.PID, s.ExitCode, s.Finished = api.PhaseStopped, 0, &code, time.Now()
}

func (n *fakeNode) session(id string) *fakeSession {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions[id]
}

func (n *fakeNode) Info(context.Context) (api.Node, error) { return api.Node{Name: "n1"}, nil }

func (n *fakeNode) Credits(_ context.Context, id, series string) (api.CPUCredits, error) {
	c := api.CPUCredits{Mode: api.CreditStandard, Balance: 60, Launch: 60, Cap: 144, EarnPerHour: 6, Limit: 2}
	if series != "" {
		c.Series = []api.CreditSample{{Time: time.Unix(0, 0).UTC(), Balance: 60}}
	}
	return c, nil
}

func (n *fakeNode) Known(context.Context) error {
	if n.takeUp != nil {
		n.takeUp()
	}
	return nil
}

func (n *fakeNode) SetNetworks(context.Context) error { return nil }

func (n *fakeNode) Reconnect(context.Context, string) error { return nil }

func (n *fakeNode) CountRules([]api.Rule) error { return nil }

func (n *fakeNode) Routes() ([]netip.Prefix, error) {
	return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil
}

func (n *fakeNode) Check(_ context.Context, repair bool) (api.CheckReport, error) {
	r := api.CheckReport{Stale: 1}
	if repair {
		r.Repaired = 1
	}
	return r, nil
}

func (n *fakeNode) Attach(_ context.Context, id string) (engine.Session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := newSession(n.code)
	n.sessions[id] = s
	return s, nil
}

func (n *fakeNode) AttachFirst(ctx context.Context, id string) (engine.Session, error) {
	return n.Attach(ctx, id)
}

func (n *fakeNode) Exec(_ context.Context, _ string, spec api.ExecSpec) (engine.Session, error) {
	if spec.Command[0] == "missing" {
		return nil, api.Errorf(api.CodeNotFound, "no command %q", spec.Command[0]).InField("spec.command")
	}
	s := newSession(n.code)
	s.begin(strings.Join(spec.Command, " "))
	return s, nil
}

func (n *fakeNode) Signal(_ context.Context, id, signal string) error {
	n.mu.Lock()
	n.signals = append(n.signals, signal)
	n.mu.Unlock()
	_, err := n.store.Instances.Update(context.Background(), id, func(i *api.Instance) error { n.exited(&i.Status); return nil })
	return err
}

func (n *fakeNode) Logs(ctx context.Context, _ string, o api.LogOptions) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		if !yield(api.LogLine{Stream: "stdout", Text: "one"}, nil) || !yield(api.LogLine{Stream: "stderr", Text: "two"}, nil) {
			return
		}
		if o.Follow {
			<-ctx.Done()
		}
	}
}

func (n *fakeNode) Disk(*api.Instance) *api.DiskUsage               { return nil }
func (n *fakeNode) ResizeDisk(context.Context, string, int64) error { return nil }

func (n *fakeNode) Stats(context.Context, string) (api.Stats, error) {
	return api.Stats{Pids: api.PidStats{Current: 3}}, nil
}

func (n *fakeNode) Processes(context.Context, string) ([]api.Process, error) {
	return []api.Process{{PID: 1, Command: "hello"}}, nil
}

func (n *fakeNode) Changes(context.Context, string) ([]api.FileChange, error) {
	return []api.FileChange{{Kind: api.FileAdded, Path: "/new"}}, nil
}

func (n *fakeNode) ReadFiles(_ context.Context, _, path string, w io.Writer) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.files[path]
	if !ok {
		return api.Errorf(api.CodeNotFound, "no file %s", path)
	}
	_, err := io.WriteString(w, data)
	if path == "/torn" {
		return errors.New("the disk broke")
	}
	return err
}

func (n *fakeNode) WriteFiles(_ context.Context, _, path string, r io.Reader) error {
	b, err := io.ReadAll(r)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files[path] = string(b)
	return err
}

// fakeSession prints its command when it begins, then what it is sent, and
// ends when its input does; a command of "exit" ends at once.
type fakeSession struct {
	code    int
	output  chan []byte
	ended   chan struct{}
	endOnce sync.Once

	mu      sync.Mutex
	resized api.WindowSize
}

func newSession(code int) *fakeSession {
	return &fakeSession{code: code, output: make(chan []byte, 64), ended: make(chan struct{})}
}

func (s *fakeSession) begin(command string) {
	s.output <- []byte(command + "\n")
	if command == "exit" {
		_ = s.CloseStdin()
	}
}

// Read yields what was written before the end even after it: input may race
// with the start, as it may on a real node.
func (s *fakeSession) Read(ctx context.Context) (api.Stream, []byte, error) {
	select {
	case b := <-s.output:
		return api.StreamStdout, b, nil
	default:
	}
	select {
	case b := <-s.output:
		return api.StreamStdout, b, nil
	case <-s.ended:
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	select {
	case b := <-s.output: // the end came right behind it
		return api.StreamStdout, b, nil
	default:
		return 0, nil, io.EOF
	}
}

func (s *fakeSession) Write(p []byte) (int, error) {
	s.output <- append([]byte(nil), p...)
	return len(p), nil
}

func (s *fakeSession) CloseStdin() error {
	s.endOnce.Do(func() { close(s.ended) })
	return nil
}

func (s *fakeSession) Resize(w api.WindowSize) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resized = w
	s.output <- []byte("resized\n")
	return nil
}

func (s *fakeSession) Signal(_ context.Context, signal string) error {
	s.output <- []byte(signal + "\n")
	return nil
}

func (s *fakeSession) Wait(ctx context.Context) (int, error) {
	select {
	case <-s.ended:
		return s.code, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *fakeSession) Close() error { return nil }

type fakeImages struct{}

func (fakeImages) image(name string) (api.Image, error) {
	if name != "virga/hello" {
		return api.Image{}, api.Errorf(api.CodeNotFound, "no image %q", name)
	}
	return api.Image{ID: "sha256:1", Names: []string{name}}, nil
}

func (f fakeImages) List(context.Context) ([]api.Image, error) {
	i, err := f.image("virga/hello")
	return []api.Image{i}, err
}

func (f fakeImages) Inspect(_ context.Context, name string) (api.Image, error) { return f.image(name) }

func (f fakeImages) Remove(_ context.Context, name string, _ bool) ([]string, error) {
	_, err := f.image(name)
	return []string{name}, err
}

func (f fakeImages) History(_ context.Context, name string) ([]api.ImageStep, error) {
	i, err := f.image(name)
	return []api.ImageStep{{CreatedBy: "COPY app /", DiffID: "sha256:1", Size: i.Size}}, err
}

func (fakeImages) Login(_ context.Context, r api.LoginRequest) error {
	if r.Auth.Password != "right" {
		return api.Errorf(api.CodeForbidden, "the registry %s does not accept the user name and password", r.Registry)
	}
	return nil
}

func (f fakeImages) Tag(_ context.Context, source, _ string) error {
	_, err := f.image(source)
	return err
}

func (fakeImages) Prune(context.Context, api.PruneRequest) (api.PruneReport, error) {
	return api.PruneReport{Bytes: 7}, nil
}

func (f fakeImages) Pull(_ context.Context, r api.PullRequest, report func(api.Progress)) (api.Image, error) {
	report(api.Progress{ID: "l1", Action: "downloading", Current: 1, Total: 2})
	return f.image(r.Reference)
}

func (f fakeImages) Push(_ context.Context, r api.PushRequest, report func(api.Progress)) error {
	report(api.Progress{ID: "l1", Action: "uploading"})
	return nil
}

func (f fakeImages) Import(_ context.Context, name string, r io.Reader, report func(api.Progress)) (api.Image, error) {
	report(api.Progress{Action: "unpacking"})
	b, err := io.ReadAll(r)
	if err != nil {
		return api.Image{}, err
	}
	return api.Image{ID: "sha256:2", Names: []string{name}, Size: int64(len(b))}, nil
}

func (f fakeImages) Export(_ context.Context, _ []string, format api.ExportFormat, w io.Writer) error {
	_, err := io.WriteString(w, "tar "+string(format))
	return err
}

type fakeVolumes struct{}

func (fakeVolumes) Path(id string) string                        { return "/volumes/" + id }
func (fakeVolumes) Create(context.Context, string, int64) error  { return nil }
func (fakeVolumes) Method() (api.DiskMethod, error)              { return api.DiskImage, nil }
func (fakeVolumes) Grow(context.Context, string, int64) error    { return nil }
func (fakeVolumes) Usage(string) (api.DiskUsage, error)          { return api.DiskUsage{Size: 1, Used: 1}, nil }
func (fakeVolumes) Claim(string, string, string) (func(), error) { return func() {}, nil }
func (fakeVolumes) Copy(context.Context, *api.Volume, *api.Volume, func(int64)) (api.CopyReport, error) {
	return api.CopyReport{Method: api.CopyReflink, Consistency: api.ConsistencyIdle}, nil
}
func (fakeVolumes) Import(context.Context, *api.Volume, io.Reader, func(int64)) error { return nil }
func (fakeVolumes) Export(_ context.Context, _ *api.Volume, _ bool, w io.Writer) error {
	_, err := io.WriteString(w, "a tar")
	return err
}
func (fakeVolumes) Remove(context.Context, string) (int64, error) { return 5, nil }

// fakeCosts says what it was asked for.
type fakeCosts struct{}

func (fakeCosts) Cost(_ context.Context, by, project string, from, to time.Time) (api.CostReport, error) {
	return api.CostReport{From: from, To: to, By: by, Currency: "EUR", Lines: []api.CostLine{{Key: project}}}, nil
}

func (fakeCosts) Export(_ context.Context, w io.Writer, format, _ string, _, _ time.Time) error {
	if format != "csv" {
		return api.Invalid("format", "there is no format %q", format)
	}
	_, err := io.WriteString(w, "start,end\n")
	return err
}

func (fakeCosts) Spent(string) (float64, float64) { return 1.5, .5 }

// world is a server on a unix socket over a memory store and a fake node.
type world struct {
	*Server
	node   *fakeNode
	client *api.Client
	socket string
}

func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	events, err := event.Open("", log)
	if err != nil {
		t.Fatal(err)
	}
	st := store.Memory()
	node := &fakeNode{store: st, code: 7, sessions: map[string]*fakeSession{}, files: map[string]string{}}
	admission := &control.Admission{Store: st, Node: "n1", Images: fakeImages{}, Record: events.Append,
		Types: control.Types{Store: st}, Supply: control.Supply{Node: "n1", Overcommit: 10, Capacity: api.Capacity{
			Physical: api.Amount{VCPUs: 4}, Allocatable: api.Amount{VCPUs: 3.5, Memory: 1 << 30}}}}
	c := Config{Store: st, Admission: admission, Node: node, NodeName: "n1", Images: fakeImages{}, Volumes: fakeVolumes{}, Events: events,
		Costs: fakeCosts{}, Version: "test", Log: log}
	if change != nil {
		change(&c)
	}
	w := &world{Server: New(c), node: node, socket: filepath.Join(t.TempDir(), "s")}
	l, err := ListenUnix(w.socket, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.client = api.Dial(w.socket)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	changes := st.Instances.Watch(ctx)
	wg.Go(func() {
		for c := range changes {
			for node.step(c.ID) {
			}
		}
	})
	wg.Go(func() {
		if err := w.Serve(l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		_ = w.client.Close()
		stop, done := context.WithTimeout(context.Background(), 30*time.Second)
		defer done()
		if err := w.Close(stop); err != nil {
			t.Error(err)
		}
		cancel()
		wg.Wait()
		_ = events.Close()
		_ = st.Close()
	})
	return w
}
