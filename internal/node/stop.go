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

// sendStop sends the stop signal, once the instance's requests have ended;
// step counts the time from here.
func (a *Agent) sendStop(ctx context.Context, w *worker, in *api.Instance) error {
	if a.Drainer != nil && !w.snapshot().drained {
		a.drain(ctx, w, in)
		return nil
	}
	sig := stopSignal(in, w.snapshot().signal)
	if err := a.Engine.Signal(ctx, in.ID, sig); err != nil && !ended(err) {
		return err
	}
	w.set(func(f *facts) { f.stopSent = time.Now() })
	a.record(in, "stop", "", map[string]string{"signal": sig})
	return nil
}

// drain waits for the requests under way to end, beside the worker.
func (a *Agent) drain(ctx context.Context, w *worker, in *api.Instance) {
	life, _ := w.running()
	w.set(func(f *facts) { f.draining = true })
	a.wg.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(a.events, cancel)()
		a.Drainer.Drain(ctx, in.ID)
		w.mu.Lock()
		if w.life <= life {
			w.facts.draining, w.facts.drained = false, true
		}
		w.mu.Unlock()
		a.kick(in.ID)
	})
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

// holdExit is how long the engine keeps a life whose end is recorded: by then
// the record has been stored, or the instance is gone.
const holdExit = 50 * time.Millisecond

// settle records the end of a life. Who waits for it sees it at once; until it
// is stored, the engine remembers.
func (a *Agent) settle(ctx context.Context, w *worker, in *api.Instance) error {
	f := w.snapshot()
	life := max(in.Status.Starts, 1)
	exit := engine.Exit{Instance: in.ID, Life: life, Code: lostCode, Time: time.Now(), Lost: true}
	if f.exit != nil {
		exit = *f.exit
	}
	w.stopHealth()
	if exit.Lost || in.Spec.Namespaces.SharesPIDs() {
		// No end of a PID namespace takes the rest with it.
		if err := a.Engine.Kill(ctx, in.ID); err != nil && !ended(err) {
			return fmt.Errorf("kill what is left of %s: %w", in.ID, err)
		}
	}
	if a.Ledger != nil {
		last := settled(in, f, exit).Phase != api.PhaseRestarting
		a.Ledger.Ended(in, life, exit.Time, last)
	}
	if err := a.Store.Instances.Observe(in.ID, func(o *api.Instance) { o.Status = settled(o, f, exit) }); err != nil {
		return err
	}
	now, err := a.Store.Instances.View(in.ID)
	if err != nil {
		return err
	}
	a.Volumes.Release(in.ID)
	a.rested(in.ID, now.Status.Phase) // while the last reading can be taken
	if now.Status.Phase != api.PhaseRestarting {
		if err := a.Network.Detach(ctx, in.ID); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.done = max(w.done, exit.Life)
	w.facts = facts{
		quick: quickAfter(f.quick, now.Status.Started, exit.Time), signal: f.signal,
		held: exit.Life, holdTill: time.Now().Add(holdExit),
	}
	w.mu.Unlock()
	attrs := map[string]string{"exitCode": strconv.Itoa(exit.Code)}
	if exit.OOMKilled {
		a.record(now, "oom", "a process was killed because of the memory limit", maps.Clone(attrs))
	}
	a.record(now, "die", now.Status.Reason, attrs)
	return nil
}

// forget lets the engine forget the life whose end is recorded, once that is
// on disk.
func (a *Agent) forget(ctx context.Context, w *worker) error {
	life := w.snapshot().held
	if err := a.Store.Instances.Flush(ctx, w.id); err != nil && api.CodeOf(err) != api.CodeNotFound {
		return err
	}
	if err := a.Engine.Forget(ctx, w.id, life); err != nil {
		return err
	}
	w.set(func(f *facts) { f.held = 0 })
	return nil
}

// restNow ends the wait for a restart, or for room.
func (a *Agent) restNow(ctx context.Context, w *worker, in *api.Instance) error {
	if err := a.Network.Detach(ctx, in.ID); err != nil {
		return err
	}
	a.CPU.Release(in.ID)
	_, err := a.persist(ctx, in.ID, func(o *api.Instance) {
		if o.Status.Phase == api.PhasePending {
			o.Status.Reason = ""
		}
		o.Status.Phase, o.Status.StoppedByUser = api.PhaseStopped, true
		if o.Status.Starts == 0 {
			o.Status.Phase = api.PhaseCreated
		}
		o.Status.Addresses, o.Status.Ports = nil, nil
	})
	return err
}

// remove deletes the object, and then gives back what else the instance held:
// who waits for the removal waits for the disk only. What a crash in between
// leaves has no owner any more and is collected.
func (a *Agent) remove(ctx context.Context, w *worker, in *api.Instance) error {
	w.stopHealth()
	a.CPU.Release(in.ID) // charges what is owed
	if a.Ledger != nil {
		a.Ledger.Removing(in)
	}
	a.CPU.Forget(in.ID)
	if err := a.Network.Detach(ctx, in.ID); err != nil {
		return err
	}
	if err := a.removeVolumes(ctx, in); err != nil {
		return err
	}
	if err := a.Store.Instances.Delete(ctx, in.ID); err != nil {
		return err
	}
	a.record(in, "remove", "", nil)
	life := in.Status.Starts
	w.mu.Lock()
	if w.facts.held == 0 && w.done >= life {
		life = 0 // the engine has forgotten it
	}
	w.life, w.facts = 0, facts{}
	w.mu.Unlock()
	if err := a.discard(ctx, in.ID, life); err != nil {
		a.Log.Error("give back what a removed instance held", "instance", in.ID, "error", err)
	}
	return nil
}

// discard takes away everything of an instance that does not run.
func (a *Agent) discard(ctx context.Context, id string, life int) error {
	a.CPU.Forget(id)
	a.Volumes.Release(id)
	var errs []error
	if life > 0 {
		errs = append(errs, a.Engine.Forget(ctx, id, life))
	}
	errs = append(errs, a.releaseDisk(id))
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
