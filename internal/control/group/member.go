package group

import (
	"math"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Member is what a plan needs to know of one instance of the group.
type Member struct {
	ID       string
	Revision int // of the template it was made from
	Ordinal  int // of a stateful group, from 0
	Created  time.Time
	Phase    api.Phase
	Reason   string
	Started  time.Time // of its present life
	Finished time.Time // when it has ended
	// Checked says that it has a health check, whose verdict is Health.
	Checked   bool
	Health    string
	Protected bool // not to be removed when scaling in
	// Warm members wait beside the others; Desired is what they are asked to
	// be meanwhile.
	Warm    bool
	Desired api.DesiredState
	Node    string // that it is bound to
	Lost    bool   // that node has not been heard of for too long
	Spot    bool   // on spare capacity
	Noticed bool   // and must leave soon: another one is to take its place
}

// ready reports whether m serves: it runs, is healthy where that is checked,
// and has been so for that long.
func (m Member) ready(now time.Time, atLeast time.Duration) bool {
	return m.Phase == api.PhaseRunning &&
		(!m.Checked || m.Health == api.HealthHealthy) &&
		m.age(now) >= atLeast
}

// age is how long ago m was started. One that started after now did so before
// the clock was set back, longer ago than anything that is waited for.
func (m Member) age(now time.Time) time.Duration {
	if now.Before(m.Started) {
		return math.MaxInt64
	}
	return now.Sub(m.Started)
}

// failed reports whether m must be replaced.
func (m Member) failed(now time.Time, grace time.Duration) bool {
	switch m.Phase {
	case api.PhaseStopped, api.PhaseFailed:
		return true
	case api.PhaseRunning:
		return m.Checked && m.Health == api.HealthUnhealthy && m.age(now) >= grace
	}
	return false
}
