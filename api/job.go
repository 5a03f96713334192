package api

import "time"

// JobSpec makes a group run to completion: its instances end on their own, and
// it has done its work when enough of them have succeeded.
type JobSpec struct {
	Completions int `json:"completions,omitempty" minimum:"0" doc:"Instances that must exit with 0; default 1"`
	Parallelism int `json:"parallelism,omitempty" minimum:"0" doc:"Most instances at a time; default all"`
	// Retries is how many instances of one run may fail before the run is
	// given up; -1 is none.
	Retries  int      `json:"retries,omitempty" minimum:"-1" doc:"Default 3"`
	Deadline Duration `json:"deadline,omitempty" doc:"Longest time of one run; default none"`
	// Schedule starts a run at each of its moments, unless one is under way.
	Schedule string `json:"schedule,omitempty" doc:"Cron, five fields, UTC; default one run at once"`
}

// JobStatus is where a job is.
type JobStatus struct {
	Run       int       `json:"run"` // number of the newest run, from 1; its instances have it as their revision
	Started   time.Time `json:"started,omitzero"`
	Finished  time.Time `json:"finished,omitzero"`
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
	Active    int       `json:"active"`
	Next      time.Time `json:"next,omitzero"` // of the schedule
}

// Phases of a group that is a job.
const (
	GroupWaiting   GroupPhase = "waiting"   // for the schedule's first moment
	GroupRunning   GroupPhase = "running"   // a run is under way
	GroupSucceeded GroupPhase = "succeeded" // the newest run did its work
	GroupFailed    GroupPhase = "failed"    // the newest run was given up; Reason says why
)
