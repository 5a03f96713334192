package node

import (
	"context"
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// adopt compares what the engine still has with the store, after a restart of
// the daemon. What ended meanwhile is left to be settled by the workers, and
// so is what the engine has never heard of: the node was rebooted, or the
// supervisor died.
func (a *Agent) adopt(ctx context.Context) error {
	lives, err := a.Engine.Lives(ctx)
	if err != nil {
		return err
	}
	for _, l := range lives {
		in, err := a.Store.Instances.View(l.Instance)
		if api.CodeOf(err) == api.CodeNotFound || err == nil && in.Node != a.Name {
			a.adoptUnknown(l)
			continue
		}
		if err != nil {
			return err
		}
		if err := a.adoptLife(ctx, in, l); err != nil {
			return fmt.Errorf("adopt %s: %w", in.ID, err)
		}
	}
	a.restAll()
	return nil
}

// adoptUnknown lets a worker find that there is no object.
func (a *Agent) adoptUnknown(l engine.Life) {
	w := a.worker(l.Instance)
	w.mu.Lock()
	w.life = max(w.life, l.Number)
	w.facts.alive = w.facts.alive || l.Exit == nil
	w.mu.Unlock()
	a.kick(l.Instance)
}

func (a *Agent) adoptLife(ctx context.Context, in *api.Instance, l engine.Life) error {
	st := &in.Status
	recorded := l.Number <= st.Starts && (st.Phase.Ended() || st.Phase == api.PhaseRestarting)
	if recorded || l.Number < st.Starts {
		w := a.worker(in.ID)
		w.mu.Lock()
		w.done = l.Number // its end may come from Exits too
		w.mu.Unlock()
		return a.Engine.Forget(ctx, in.ID, l.Number)
	}
	w := a.worker(in.ID)
	// A start whose status was not stored any more counts as done.
	asked := st.Life
	if l.Number > st.Starts {
		asked = in.Desired.Life
	}
	phase := api.PhaseRunning
	if l.Paused {
		phase = api.PhasePaused
	}
	if l.Number != st.Starts || l.Exit == nil && (st.Phase != phase || st.PID != l.PID) {
		now, err := a.persist(ctx, in.ID, func(o *api.Instance) {
			o.Status.Life, o.Status.Starts, o.Status.Phase = asked, l.Number, phase
			o.Status.PID, o.Status.Started, o.Status.ExitCode = l.PID, l.Started, nil
		})
		if err != nil {
			return err
		}
		in, st = &now, &now.Status
	}
	w.mu.Lock()
	w.life = l.Number
	w.facts = facts{alive: l.Exit == nil, paused: l.Paused, asked: asked, exit: l.Exit, limited: l.Exit == nil,
		networks: connected(in), networked: l.Exit == nil}
	w.mu.Unlock()
	if l.Exit != nil {
		return nil
	}
	if _, err := a.CPU.Adopt(claim(in)); err != nil {
		a.Log.Error("take up the CPUs of a running instance", "instance", in.ID, "error", err)
	}
	if err := a.hold(in); err != nil {
		a.Log.Error("take up the volumes of a running instance", "instance", in.ID, "error", err)
	}
	r := networkRequest(in)
	r.PID = l.PID
	r.Share = shareOf(in)
	if err := a.Network.Adopt(ctx, r, st.Addresses, st.Ports); err != nil {
		return err
	}
	img, _, err := a.image(ctx, in)
	if err != nil {
		a.Log.Warn("the image of a running instance is gone", "instance", in.ID, "image", st.Image, "error", err)
		return nil
	}
	w.set(func(f *facts) { f.signal = img.Config.StopSignal })
	a.watchHealth(w, in, img.Config)
	return nil
}
