package api

import "time"

// Group is N interchangeable instances from one template.
type Group struct {
	Meta
	Spec GroupSpec `json:"spec"`
	// Remove asks for the end of the group; the object is deleted when its
	// last instance is gone.
	Remove bool `json:"remove,omitempty"`
	// Revisions are the templates there were, the current one last; at most
	// ten. Returning to an earlier one moves it to the end.
	Revisions []GroupRevision `json:"revisions"`
	Status    GroupStatus     `json:"status"`
}

// GroupSpec is what the user asked for.
type GroupSpec struct {
	Template InstanceSpec      `json:"template"`
	Labels   map[string]string `json:"labels,omitempty" doc:"Given to every instance"`
	Min      int               `json:"min,omitempty" minimum:"0" doc:"Fewest instances a scale may ask for"`
	Desired  int               `json:"desired" minimum:"0"`
	Max      int               `json:"max,omitempty" minimum:"0" doc:"Most instances a scale may ask for; default desired"`
	Update   UpdatePolicy      `json:"update,omitzero"`
	// HealthGrace is how long after its start an instance may be unhealthy.
	HealthGrace Duration `json:"healthGrace,omitempty" doc:"Default 0s"`
	// ScaleIn says which instance goes first when there are too many.
	ScaleIn string `json:"scaleIn,omitempty" enum:"newest,oldest" doc:"Default newest"`
	// Stateful gives every instance a stable ordinal name, and starts them in
	// order, each when the one before is ready.
	Stateful bool `json:"stateful,omitempty"`
	Paused   bool `json:"paused,omitempty" doc:"Heal, but neither roll nor scale"`
	// Warm keeps instances prepared beside the desired ones; a group that
	// grows takes them first.
	Warm *WarmPool `json:"warm,omitempty"`
	// Purchase mixes on-demand with spot instances, where the template is a
	// spot one; nil makes all of them spot.
	Purchase *Purchase `json:"purchase,omitempty"`
	// Job makes the group run to completion: desired, scaling and the policies
	// of a roll are not used then.
	Job *JobSpec `json:"job,omitempty"`
	// Scaling makes the desired number follow the load.
	Scaling *Scaling `json:"scaling,omitempty"`
}

// WarmPool are instances that wait to be needed. They serve nothing, and no
// service sends them anything.
type WarmPool struct {
	Size  int       `json:"size" minimum:"0"`
	State WarmState `json:"state,omitempty" enum:"stopped,paused" doc:"Default stopped"`
}

// WarmState is what a warm instance does while it waits.
type WarmState string

const (
	// WarmStopped are made and not started: they take nothing of the node's
	// capacity, so that their start may be refused.
	WarmStopped WarmState = "stopped"
	// WarmPaused have been started, were ready and are frozen: they hold what
	// a running instance holds, but use no CPU time.
	WarmPaused WarmState = "paused"
)

// UpdatePolicy is how a change of the template is rolled out.
type UpdatePolicy struct {
	MaxSurge       *int `json:"maxSurge,omitempty" minimum:"0" doc:"Instances beyond desired during a roll; default 1"`
	MaxUnavailable int  `json:"maxUnavailable,omitempty" minimum:"0" doc:"Instances fewer than desired during a roll; default 0"`
	// Rollback returns to the revision before when that many instances of the
	// new one failed in a row; 0 does not.
	Rollback int `json:"rollback,omitempty" minimum:"0"`
	// Hold stops the roll when that many instances of the new revision failed
	// in a row, until the user resumes it; 0 tries on, ever less often. Only one
	// of Rollback and Hold may be set.
	Hold int `json:"hold,omitempty" minimum:"0"`
	// MinReady is how long an instance must be ready before it counts.
	MinReady Duration `json:"minReady,omitempty"`
	// Return is how a revision that the group had before is rolled out; nil is
	// like any other.
	Return *ReturnPolicy `json:"return,omitempty"`
}

// ReturnPolicy is how a group returns to an earlier revision. The fields are
// those of UpdatePolicy.
type ReturnPolicy struct {
	MaxSurge       *int     `json:"maxSurge,omitempty" minimum:"0" doc:"Default 1"`
	MaxUnavailable int      `json:"maxUnavailable,omitempty" minimum:"0" doc:"Default 0"`
	Hold           int      `json:"hold,omitempty" minimum:"0"`
	MinReady       Duration `json:"minReady,omitempty"`
}

// GroupRevision is one template of a group.
type GroupRevision struct {
	Number   int          `json:"number"`
	Created  time.Time    `json:"created"`
	Template InstanceSpec `json:"template"`
	// Image is the id of the template's image when the revision was made: all
	// its instances run that one, even when the tag moves.
	Image string `json:"image,omitempty"`
}

// GroupStatus is what the group's controller observed.
type GroupStatus struct {
	Phase     GroupPhase `json:"phase"`
	Reason    string     `json:"reason,omitempty"`
	Instances int        `json:"instances"` // not ended
	Ready     int        `json:"ready"`     // running, and healthy where checked
	Current   int        `json:"current"`   // of the current revision
	// Warm counts the instances that are prepared beside those.
	Warm int `json:"warm,omitempty"`
	// Failures counts instances that ended or became unhealthy in a row;
	// each doubles the wait before the next try, from 100 ms to one minute.
	Failures int       `json:"failures,omitempty"`
	NextTry  time.Time `json:"nextTry,omitzero"`
	// RolledBack is the number of the revision that was given up, or 0.
	RolledBack int `json:"rolledBack,omitempty"`
	// Held is the number of the revision whose roll is held, or 0.
	Held    int            `json:"held,omitempty"`
	Job     *JobStatus     `json:"job,omitempty"`
	History []GroupHistory `json:"history,omitempty"` // newest last, at most 100
}

// GroupPhase sums a group up.
type GroupPhase string

const (
	GroupSteady   GroupPhase = "steady"   // as many ready as desired, all of the current revision
	GroupScaling  GroupPhase = "scaling"  // instances are being made or removed
	GroupRolling  GroupPhase = "rolling"  // some are of an older revision
	GroupPaused   GroupPhase = "paused"   // by the user
	GroupFailing  GroupPhase = "failing"  // new instances do not become ready; Reason says why
	GroupRemoving GroupPhase = "removing" // its instances are being removed
)

// GroupHistory is one decision and its reason.
type GroupHistory struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
	// Inputs are what a decision about the number was made from: metrics of
	// the newest sample, "ready", "warming", "min", "max", "forecast".
	Inputs map[string]float64 `json:"inputs,omitempty"`
}
