package node

import (
	"fmt"
	"reflect"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// Restarts wait from firstBackoff, doubled for each life in a row that was
// shorter than resetAfter, to maxBackoff.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = time.Minute
	resetAfter   = 10 * time.Second
)

// backoff is the wait before a restart after quick short lives in a row.
func backoff(quick int) time.Duration {
	if quick <= 0 {
		return 0
	}
	d := firstBackoff
	for range quick - 1 {
		if d *= 2; d >= maxBackoff {
			return maxBackoff
		}
	}
	return d
}

// lostCode is the exit code of a life whose end nobody saw.
const lostCode = 255

// settled is the status of an instance whose life has ended: whether it rests
// or starts again is decided here, once, and stored.
func settled(in *api.Instance, f facts, exit engine.Exit) api.InstanceStatus {
	st := in.Status
	code := exit.Code
	st.PID = 0
	st.Finished = exit.Time
	st.ExitCode = &code
	st.OOMKilled = exit.OOMKilled
	st.Reason = exitReason(exit)
	st.Error = nil
	st.Health = nil
	byUser := in.Desired.State == api.DesiredStopped || in.Desired.Remove || f.endByUser
	st.StoppedByUser = byUser
	st.Phase = api.PhaseStopped
	if st.Life < in.Desired.Life && !byUser || !byUser && restarts(in.Spec.Restart, code, st.Restarts) {
		st.Phase = api.PhaseRestarting
		return st
	}
	st.Addresses, st.Ports = nil, nil
	return st
}

func exitReason(e engine.Exit) string {
	switch {
	case e.Lost:
		return "the supervisor or the node ended; the exit code is not known"
	case e.OOMKilled:
		return fmt.Sprintf("exit %d because of the memory limit", e.Code)
	}
	return ""
}

// restarts says whether the policy starts an instance again that ended on its
// own with code, after so many restarts.
func restarts(p api.RestartPolicy, code, done int) bool {
	switch p.Policy {
	case api.RestartAlways, api.RestartUnlessStopped:
		return true
	case api.RestartOnFailure:
		return code != 0 && (p.MaxRetries == 0 || done < p.MaxRetries)
	}
	return false
}

// quickAfter counts short lives in a row.
func quickAfter(quick int, started, finished time.Time) int {
	if !started.IsZero() && finished.Sub(started) >= resetAfter {
		return 1
	}
	return quick + 1
}

func sameLimits(a, b api.Resources) bool { return reflect.DeepEqual(a, b) }
