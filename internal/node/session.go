package node

import (
	"context"
	"io"
	"iter"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// Attach connects to the first process of the instance: of the life that runs,
// or else of the next one.
func (a *Agent) Attach(ctx context.Context, id string) (engine.Session, error) {
	in, err := a.instance(id)
	if err != nil {
		return nil, err
	}
	if err := a.Known(ctx); err != nil {
		return nil, err
	}
	w := a.worker(id)
	life, alive := w.running()
	if !alive {
		life = max(life, in.Status.Starts) + 1
	}
	return a.Engine.Attach(ctx, id, life)
}

// AttachFirst connects to the first process that an instance will have which is
// not stored yet.
func (a *Agent) AttachFirst(ctx context.Context, id string) (engine.Session, error) {
	return a.Engine.Attach(ctx, id, 1)
}

// Exec starts a further process in the running instance.
func (a *Agent) Exec(ctx context.Context, id string, spec api.ExecSpec) (engine.Session, error) {
	in, err := a.alive(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Status.Phase == api.PhasePaused {
		return nil, api.Errorf(api.CodeConflict, "instance %s is paused", in.Name).WithHint("virga unpause %s", in.Name)
	}
	t, err := a.taskOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return a.Engine.Exec(ctx, t, spec)
}

// Signal sends a signal to the instance's first process. One that ends it is
// the user's wish that it stays ended.
func (a *Agent) Signal(ctx context.Context, id, signal string) error {
	in, err := a.alive(ctx, id)
	if err != nil {
		return err
	}
	w := a.worker(id)
	name := signalName(signal)
	if ends := name == "SIGKILL" || name == signalName(stopSignal(in, w.snapshot().signal)); ends {
		w.set(func(f *facts) { f.endByUser = true })
	}
	if err := a.Engine.Signal(ctx, id, name); err != nil {
		return err
	}
	a.record(in, "kill", "", map[string]string{"signal": name})
	return nil
}

// Logs yields the lines the instance wrote, over all its lives. When following
// it ends with the instance.
func (a *Agent) Logs(ctx context.Context, id string, o api.LogOptions) iter.Seq2[api.LogLine, error] {
	return func(yield func(api.LogLine, error) bool) {
		in, err := a.instance(id)
		if err != nil {
			yield(api.LogLine{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan struct{})
		if o.Follow {
			a.wg.Go(func() {
				defer close(ended)
				// Whatever ends the wait ends the following.
				_, _ = a.Store.Instances.Await(ctx, id, func(in *api.Instance) bool {
					return in.Status.Phase.Ended() && in.Status.Life >= in.Desired.Life
				})
			})
		} else {
			close(ended)
		}
		for line, err := range a.Config.Logs(ctx, filepath.Join(a.instanceDir(in.ID), logName), o, ended) {
			if !yield(line, err) {
				return
			}
		}
	}
}

// Stats reads what the running instance has used.
func (a *Agent) Stats(ctx context.Context, id string) (api.Stats, error) {
	in, err := a.alive(ctx, id)
	if err != nil {
		return api.Stats{}, err
	}
	s, err := a.Engine.Stats(ctx, id)
	if err != nil {
		return s, err
	}
	s.Instance, s.Name = in.ID, in.Name
	if c, ok := a.account(in); ok {
		s.Credits = &c
	}
	s.Disk = a.Disk(in)
	s.Network, err = a.Network.Stats(ctx, id)
	return s, err
}

// Processes lists the running instance's processes.
func (a *Agent) Processes(ctx context.Context, id string) ([]api.Process, error) {
	if _, err := a.alive(ctx, id); err != nil {
		return nil, err
	}
	return a.Engine.Processes(ctx, id)
}

// Changes lists what the instance has changed of its image's files.
func (a *Agent) Changes(ctx context.Context, id string) ([]api.FileChange, error) {
	t, err := a.files(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.Engine.Changes(ctx, t)
}

// ReadFiles writes a tar of path in the instance to w.
func (a *Agent) ReadFiles(ctx context.Context, id, path string, w io.Writer) error {
	t, err := a.files(ctx, id)
	if err != nil {
		return err
	}
	return a.Engine.ReadFiles(ctx, t, path, w)
}

// WriteFiles unpacks a tar into path in the instance.
func (a *Agent) WriteFiles(ctx context.Context, id, path string, r io.Reader) error {
	t, err := a.files(ctx, id)
	if err != nil {
		return err
	}
	return a.Engine.WriteFiles(ctx, t, path, r)
}

func (a *Agent) files(ctx context.Context, id string) (engine.Task, error) {
	in, err := a.instance(id)
	if err != nil {
		return engine.Task{}, err
	}
	return a.taskOf(ctx, in)
}

// taskOf is the task of the instance's present or last life, without what only
// a start needs.
func (a *Agent) taskOf(ctx context.Context, in *api.Instance) (engine.Task, error) {
	img, layers, err := a.image(ctx, in)
	if err != nil {
		return engine.Task{}, err
	}
	t, err := task(in, img.Config, a.instanceDir(in.ID), a.hostname(in))
	if err != nil {
		return engine.Task{}, err
	}
	t.Life, t.Layers = in.Status.Starts, layers
	if size := t.Spec.Resources.Disk; size > 0 { // a reboot may have unmounted it
		if err := a.Disks.Make(ctx, engine.Writable(t.Dir), size); err != nil {
			return t, err
		}
	}
	t.Mounts, _, err = a.mounts(ctx, in, img.Config)
	return t, err
}

// instance returns an instance bound to this node, which must not be changed.
func (a *Agent) instance(id string) (*api.Instance, error) {
	in, err := a.Store.Instances.View(id)
	if err != nil {
		return nil, err
	}
	if in.Node != a.Name {
		return nil, api.Errorf(api.CodeConflict, "instance %s is not on node %s", in.Name, a.Name)
	}
	return in, nil
}

// alive is instance for what needs a running one.
func (a *Agent) alive(ctx context.Context, id string) (*api.Instance, error) {
	if err := a.Known(ctx); err != nil {
		return nil, err
	}
	in, err := a.instance(id)
	if err != nil {
		return nil, err
	}
	if _, ok := a.worker(id).running(); !ok {
		return nil, api.Errorf(api.CodeConflict, "instance %s is not running", in.Name).WithHint("virga start %s", in.Name)
	}
	return in, nil
}
