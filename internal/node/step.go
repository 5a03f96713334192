package node

import (
	"reflect"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/engine"
)

// action is the next thing to do for an instance.
type action string

const (
	actNone    action = ""        // it is as desired, or something has to happen first
	actStart   action = "start"   // begin the next life
	actStop    action = "stop"    // send the stop signal
	actKill    action = "kill"    // end every process
	actPause   action = "pause"   //
	actUnpause action = "unpause" //
	actUpdate  action = "update"  // change the limits of the running life
	actConnect action = "connect" // change the networks of the running life
	actSettle  action = "settle"  // record that the life has ended, then give back what it held
	actForget  action = "forget"  // let the engine forget the life whose end is recorded
	actRest    action = "rest"    // record that it will not start again
	actRemove  action = "remove"  // give everything back and delete the object
	actWait    action = "wait"    // record that the start has to wait
	actTell    action = "tell"    // tell the workload of a spot notice
)

// facts is what the node knows of an instance beside the stored object. Only
// the worker of the instance changes it, but for exit, which the engine
// delivers.
type facts struct {
	alive  bool // a life runs in the engine
	paused bool
	asked  int          // the Desired.Life that the running life was started for
	exit   *engine.Exit // the life ended and that is not recorded yet

	held     int       // number of the life whose end is recorded and that the engine still has; 0 is none
	holdTill time.Time // when its end will have been stored along with other changes

	draining  bool      // its requests under way are being waited for
	drained   bool      // and have ended, or their time has
	stopSent  time.Time // zero: this life was not asked to stop
	killSent  bool
	endByUser bool // a client sent the signal that ends it: no restart

	quick   int           // lives in a row that were shorter than resetAfter
	limits  api.Resources // what the running life has
	claim   cpu.Claim     // likewise, of the node's CPUs
	limited bool          // both are known
	// networks are what the running life is attached to, when networked says
	// that they are known.
	networks  []api.Attachment
	networked bool
	signal    string // the image's stop signal, "" for none
}

// decision is what step decided: what to do now, or when to look again.
type decision struct {
	do   action
	wake time.Time // zero: not before something changes
}

// defaultStopTimeout is the time from the stop signal to the kill.
const defaultStopTimeout = 10 * time.Second

// step compares what is desired with what is and says what to do next. It has
// no memory and no clock: running it again after a crash repairs what the
// crash left half done.
func step(in *api.Instance, f facts, now time.Time) decision {
	if f.exit != nil {
		return decision{do: actSettle}
	}
	if f.alive {
		return stepAlive(in, f, now)
	}
	return letGo(stepEnded(in, f, now), f, now)
}

// letGo has the engine forget the last life before the next one begins, or
// when there is time. A removal sees to it itself.
func letGo(d decision, f facts, now time.Time) decision {
	switch {
	case f.held == 0 || d.do == actRemove:
		return d
	case d.do != actNone || !now.Before(f.holdTill):
		return decision{do: actForget}
	case d.wake.IsZero() || f.holdTill.Before(d.wake):
		d.wake = f.holdTill
	}
	return d
}

func stepAlive(in *api.Instance, f facts, now time.Time) decision {
	switch {
	case in.Desired.Remove:
		return killOnce(f)
	case in.Desired.State == api.DesiredStopped && in.Interrupted():
		return killOnce(f) // the notice was all the time there is
	case in.Noticed() && !in.Status.Told.Equal(in.Spot.Notice.Deadline):
		return decision{do: actTell}
	case in.Desired.State == api.DesiredStopped, f.asked < in.Desired.Life:
		return stopping(in, f, now)
	case in.Desired.State == api.DesiredPaused && !f.paused:
		return decision{do: actPause}
	case in.Desired.State == api.DesiredRunning && f.paused:
		return decision{do: actUnpause}
	case f.limited && (!sameLimits(f.limits, in.Limits()) || f.claim != claim(in)):
		return decision{do: actUpdate}
	case f.networked && !reflect.DeepEqual(f.networks, in.Spec.Networks):
		return decision{do: actConnect}
	}
	return decision{}
}

// stopping sends the stop signal, waits for its timeout and kills.
func stopping(in *api.Instance, f facts, now time.Time) decision {
	if f.killSent {
		return decision{}
	}
	if f.stopSent.IsZero() {
		if f.paused {
			return decision{do: actUnpause} // a frozen process cannot obey
		}
		if f.draining {
			return decision{} // its end brings us back
		}
		return decision{do: actStop}
	}
	timeout := stopTimeout(in)
	if timeout < 0 {
		return decision{} // for ever
	}
	if deadline := f.stopSent.Add(timeout); now.Before(deadline) {
		return decision{wake: deadline}
	}
	return killOnce(f)
}

func killOnce(f facts) decision {
	if f.killSent {
		return decision{}
	}
	return decision{do: actKill}
}

func stepEnded(in *api.Instance, f facts, now time.Time) decision {
	st := &in.Status
	if in.Desired.Remove {
		return decision{do: actRemove}
	}
	if in.Desired.State == api.DesiredStopped {
		if (st.Phase.Ended() || st.Phase == "") && st.Phase != api.PhasePending {
			return removeIfOver(in)
		}
		return decision{do: actRest}
	}
	if w := in.Desired.Waits; w != nil && st.Life < in.Desired.Life {
		if st.Phase == api.PhasePending && st.Reason == w.Reason {
			return decision{}
		}
		return decision{do: actWait}
	}
	if st.Life < in.Desired.Life {
		return decision{do: actStart}
	}
	switch st.Phase {
	case api.PhaseRestarting:
		if at := st.Finished.Add(backoff(f.quick)); now.Before(at) {
			return decision{wake: at}
		}
		return decision{do: actStart}
	case api.PhaseStarting:
		return decision{do: actStart}
	case api.PhaseRunning, api.PhasePaused, api.PhaseStopping:
		// The status says it lives and the engine knows nothing of it.
		return decision{do: actSettle}
	}
	return removeIfOver(in)
}

// removeIfOver ends an instance that was to be removed when it has stopped.
func removeIfOver(in *api.Instance) decision {
	if in.Spec.AutoRemove && in.Status.Life > 0 && in.Status.Life >= in.Desired.Life {
		return decision{do: actRemove}
	}
	return decision{}
}

func stopTimeout(in *api.Instance) time.Duration {
	switch {
	case in.Desired.StopTimeout != nil:
		return time.Duration(*in.Desired.StopTimeout)
	case in.Spec.StopTimeout != nil:
		return time.Duration(*in.Spec.StopTimeout)
	}
	return defaultStopTimeout
}

// stopSignal is the signal that asks the instance to stop.
func stopSignal(in *api.Instance, image string) string {
	for _, s := range []string{in.Desired.StopSignal, in.Spec.StopSignal, image} {
		if s != "" {
			return s
		}
	}
	return "SIGTERM"
}
