package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// sendStop sends the stop signal; step counts the time from here.
func (a *Agent) sendStop(ctx context.Context, w *worker, in *api.Instance) error {
	sig := stopSignal(in, w.snapshot().signal)
	if err := a.Engine.Signal(ctx, in.ID, sig); err != nil && !ended(err) {
		return err
	}
	w.set(func(f *facts) { f.stopSent = time.Now() })
	a.record(in, "stop", "", map[string]string{"signal": sig})
	return nil
}

func (a *Agent) kill(ctx context.Context, w *worker, in *api.Instance) error {
	if err := a.Engine.Kill(ctx, in.ID); err != nil && !ended(err) {
		return err
	}
	w.set(func(f *facts) { f.killSent = true })
	a.record(in, "kill", "", map[string]string{"signal": "SIGKILL"})
	return nil
}

func (a *Agent) pause(ctx context.Context, w *worker, in *api.Instance, pause bool) error {
	do, phase, verb := a.Engine.Unpause, api.PhaseRunning, "unpause"
	if pause {
		do, phase, verb = a.Engine.Pause, api.PhasePaused, "pause"
	}
	if err := do(ctx, in.ID); err != nil {
		if ended(err) {
			return nil
		}
		return err
	}
	w.set(func(f *facts) { f.paused = pause })
	a.record(in, verb, "", nil)
	return a.observe(in.ID, func(st *api.InstanceStatus) { st.Phase = phase })
}

// update changes the limits of the running life. Limits that the kernel
// refuses are not asked for again.
func (a *Agent) update(ctx context.Context, w *worker, in *api.Instance) error {
	want := in.Limits()
	err := a.limit(ctx, in, want)
	w.set(func(f *facts) { f.limits, f.claim, f.limited = want, claim(in), true })
	if err == nil || ended(err) {
		return nil
	}
	a.Log.Warn("change limits", "instance", in.ID, "error", err)
	warning := "limits were not changed: " + err.Error()
	return a.observe(in.ID, func(st *api.InstanceStatus) { st.Warnings = append(st.Warnings, warning) })
}

// settle records the end of a life durably, and only then lets the engine
// forget it.
func (a *Agent) settle(ctx context.Context, w *worker, in *api.Instance) error {
	f := w.snapshot()
	life := max(in.Status.Starts, 1)
	exit := engine.Exit{Instance: in.ID, Life: life, Code: lostCode, Time: time.Now(), Lost: true}
	if f.exit != nil {
		exit = *f.exit
	}
	w.stopHealth()
	if exit.Lost {
		if err := a.Engine.Kill(ctx, in.ID); err != nil && !ended(err) {
			return fmt.Errorf("kill what is left of %s: %w", in.ID, err)
		}
	}
	now, err := a.recordExit(ctx, in, f, exit)
	if err != nil {
		return err
	}
	a.rested(in.ID, now.Status.Phase) // while the last reading can be taken
	if err := a.Engine.Forget(ctx, in.ID, exit.Life); err != nil {
		return err
	}
	if now.Status.Phase != api.PhaseRestarting {
		if err := a.Network.Detach(ctx, in.ID); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.done = max(w.done, exit.Life)
	w.facts = facts{quick: quickAfter(f.quick, now.Status.Started, exit.Time), signal: f.signal}
	w.mu.Unlock()
	attrs := map[string]string{"exitCode": strconv.Itoa(exit.Code)}
	if exit.OOMKilled {
		a.record(&now, "oom", "a process was killed because of the memory limit", maps.Clone(attrs))
	}
	a.record(&now, "die", now.Status.Reason, attrs)
	return nil
}

// recordExit stores the end of a life. Of an instance that is removed now the
// end need not be on disk: until it is deleted, the engine remembers.
func (a *Agent) recordExit(ctx context.Context, in *api.Instance, f facts, exit engine.Exit) (api.Instance, error) {
	next := settled(in, f, exit)
	if !in.Desired.Remove && !(in.Spec.AutoRemove && next.Phase == api.PhaseStopped) {
		return a.persist(ctx, in.ID, func(o *api.Instance) { o.Status = settled(o, f, exit) })
	}
	err := a.Store.Instances.Observe(in.ID, func(o *api.Instance) { o.Status = settled(o, f, exit) })
	if err != nil {
		return *in, err
	}
	now, err := a.Store.Instances.View(in.ID)
	if err != nil {
		return *in, err
	}
	return *now, nil
}

// restNow ends the wait for a restart.
func (a *Agent) restNow(ctx context.Context, w *worker, in *api.Instance) error {
	if err := a.Network.Detach(ctx, in.ID); err != nil {
		return err
	}
	a.CPU.Release(in.ID)
	_, err := a.persist(ctx, in.ID, func(o *api.Instance) {
		o.Status.Phase, o.Status.StoppedByUser = api.PhaseStopped, true
		o.Status.Addresses, o.Status.Ports = nil, nil
	})
	return err
}

// remove gives back all that the instance holds, then deletes the object: a
// crash in between leaves an object that is removed again.
func (a *Agent) remove(ctx context.Context, w *worker, in *api.Instance) error {
	w.stopHealth()
	if err := a.discard(ctx, in.ID, in.Status.Starts); err != nil {
		return err
	}
	if err := a.removeVolumes(ctx, in); err != nil {
		return err
	}
	a.record(in, "remove", "", nil)
	return a.Store.Instances.Delete(ctx, in.ID)
}

// discard takes away everything of an instance that does not run.
func (a *Agent) discard(ctx context.Context, id string, life int) error {
	a.CPU.Forget(id)
	var errs []error
	if life > 0 {
		errs = append(errs, a.Engine.Forget(ctx, id, life))
	}
	errs = append(errs, a.Engine.Remove(ctx, id), a.Network.Detach(ctx, id), os.RemoveAll(a.instanceDir(id)))
	return errors.Join(errs...)
}

// ended says that a process could not be reached because it is gone.
func ended(err error) bool {
	switch api.CodeOf(err) {
	case api.CodeNotFound, api.CodeConflict:
		return true
	}
	return false
}
