package api

import (
	"net/netip"
	"time"
)

// Phase is where an instance is in its life.
type Phase string

const (
	PhasePending    Phase = "pending"    // not yet bound to a node; Reason says why
	PhaseCreated    Phase = "created"    // bound, never started
	PhaseStarting   Phase = "starting"   // the node is making its resources
	PhaseRunning    Phase = "running"    // the workload runs
	PhasePaused     Phase = "paused"     // frozen
	PhaseStopping   Phase = "stopping"   // the stop signal was sent
	PhaseRestarting Phase = "restarting" // ended; waits for its back-off
	PhaseStopped    Phase = "stopped"    // ended; ExitCode is set
	PhaseFailed     Phase = "failed"     // could not be started; Reason says why
	PhaseRemoving   Phase = "removing"   // its resources are being given back
)

// Ended reports whether nothing of the workload runs in phase p.
func (p Phase) Ended() bool {
	switch p {
	case PhaseCreated, PhaseStopped, PhaseFailed, PhasePending:
		return true
	}
	return false
}

// InstanceStatus is what the node observed.
type InstanceStatus struct {
	Phase Phase `json:"phase"`
	// Reason explains a phase that the user did not ask for.
	Reason string `json:"reason,omitempty"`
	// Error is why the phase is failed; a call that waits for the start returns it.
	Error *Error `json:"error,omitempty"`
	// Life is the Desired.Life this status belongs to.
	Life     int       `json:"life"`
	PID      int       `json:"pid,omitempty"` // of the workload's first process, on the node
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	// ExitCode is set when the workload has ended: 0 to 255, 128+n when
	// signal n ended it.
	ExitCode  *int `json:"exitCode,omitempty"`
	OOMKilled bool `json:"oomKilled,omitempty"`
	// Starts numbers the newest life; engines, logs and sessions know a life by it.
	Starts int `json:"starts,omitempty"`
	// Restarts counts starts by the restart policy since the last Desired.Life.
	Restarts int `json:"restarts,omitempty"`
	// StoppedByUser is set once the user stopped it; unless-stopped obeys it.
	StoppedByUser bool `json:"stoppedByUser,omitempty"`

	Image     string        `json:"image,omitempty"` // digest of the image's configuration
	Addresses []AddressOn   `json:"addresses,omitempty"`
	Ports     []Port        `json:"ports,omitempty"` // with the host ports chosen
	Volumes   []string      `json:"volumes,omitempty"`
	Health    *HealthStatus `json:"health,omitempty"`
	Command   []string      `json:"command,omitempty"` // entrypoint and command as run
	// CPUs are the node's CPUs that are the instance's alone, "" for none.
	CPUs string `json:"cpus,omitempty"`
	// Told is the deadline of the spot notice that the workload was told of.
	Told     time.Time `json:"told,omitzero"`
	Warnings []string  `json:"warnings,omitempty"`
}

// AddressOn is an instance's address on one network.
type AddressOn struct {
	Network  string     `json:"network"`
	Address  netip.Addr `json:"address"`
	Prefix   int        `json:"prefix"`
	Gateway  netip.Addr `json:"gateway,omitzero"`
	Address6 netip.Addr `json:"address6,omitzero"`
	Prefix6  int        `json:"prefix6,omitempty"`
	Gateway6 netip.Addr `json:"gateway6,omitzero"`
	MAC      string     `json:"mac,omitempty"`
}

// HealthStatus is the state of an instance's health check.
type HealthStatus struct {
	State    string        `json:"state" enum:"starting,healthy,unhealthy"`
	Failures int           `json:"failures,omitempty"`
	Log      []HealthProbe `json:"log,omitempty"` // the last five, oldest first
}

const (
	HealthStarting  = "starting"
	HealthHealthy   = "healthy"
	HealthUnhealthy = "unhealthy"
)

// HealthProbe is one run of a health check.
type HealthProbe struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	ExitCode int       `json:"exitCode"`
	Output   string    `json:"output,omitempty"` // at most 4 KiB
}
