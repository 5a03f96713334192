package api

import "time"

// Scaling says how a group's desired number follows its load. Several
// policies may apply: the group grows when any of them wants it and shrinks
// only when all of them agree.
type Scaling struct {
	Targets   []TargetPolicy   `json:"targets,omitempty"`
	Steps     []StepPolicy     `json:"steps,omitempty"`
	Schedules []SchedulePolicy `json:"schedules,omitempty"`
	// Predictive grows the group before a load that comes every day or week.
	Predictive *PredictivePolicy `json:"predictive,omitempty"`
	// WarmUp is how long a new instance counts as capacity but not in the
	// metric.
	WarmUp Duration `json:"warmUp,omitempty" doc:"Default 10s"`
	// OutCooldown and InCooldown are the least times between two changes.
	OutCooldown Duration `json:"outCooldown,omitempty" doc:"Default 3s"`
	InCooldown  Duration `json:"inCooldown,omitempty" doc:"Default 60s"`
	// OutLimit and InLimit are the most instances that one decision adds or
	// takes away.
	OutLimit int `json:"outLimit,omitempty" minimum:"0" doc:"0 is no limit"`
	InLimit  int `json:"inLimit,omitempty" minimum:"0" doc:"0 is no limit"`
	// Stabilization is how far back the highest recommendation holds the
	// number up.
	Stabilization  Duration `json:"stabilization,omitempty" doc:"Default 5m"`
	DisableScaleIn bool     `json:"disableScaleIn,omitempty"`
	// Queue says where the metric queue is read.
	Queue *QueueSource `json:"queue,omitempty"`
}

// QueueSource answers with the length of a queue.
type QueueSource struct {
	// URL is a Prometheus server when Query is set, else an address that
	// answers with a number, or with JSON when Pointer is set.
	URL     string `json:"url"`
	Query   string `json:"query,omitempty" doc:"PromQL; the sum of the result counts"`
	Pointer string `json:"pointer,omitempty" doc:"JSON pointer (RFC 6901) of the number in the answer"`
}

// ScalingMetric names what a policy follows.
type ScalingMetric string

const (
	MetricCPU      ScalingMetric = "cpu"      // per cent of the instance's vCPUs, average
	MetricMemory   ScalingMetric = "memory"   // per cent of the instance's limit, average
	MetricNetwork  ScalingMetric = "network"  // bytes per second both ways, average
	MetricRequests ScalingMetric = "requests" // requests per second and instance, from the service
	MetricLatency  ScalingMetric = "latency"  // p95 in milliseconds, from the service
	MetricQueue    ScalingMetric = "queue"    // length per instance, from a query
)

// TargetPolicy keeps a metric near a value.
type TargetPolicy struct {
	Metric ScalingMetric `json:"metric" enum:"cpu,memory,network,requests,latency,queue"`
	Target float64       `json:"target"`
	// Window is how long a load must last to be believed when growing.
	Window Duration `json:"window,omitempty" doc:"Default 3s"`
}

// StepPolicy changes the number by how far a metric is beyond a threshold.
// While the metric is in none of its steps it has no opinion.
type StepPolicy struct {
	Metric    ScalingMetric `json:"metric" enum:"cpu,memory,network,requests,latency,queue"`
	Threshold float64       `json:"threshold"`
	Steps     []Step        `json:"steps"`
	Window    Duration      `json:"window,omitempty" doc:"Default 3s"`
}

// Step applies when metric - threshold is at least From and below To.
type Step struct {
	From *float64 `json:"from,omitempty"` // nil is minus infinity
	To   *float64 `json:"to,omitempty"`   // nil is infinity
	// Change is added to the number, or with Percent that share of it; with
	// Exact it is the number.
	Change  float64 `json:"change"`
	Percent bool    `json:"percent,omitempty"`
	Exact   bool    `json:"exact,omitempty"`
}

// SchedulePolicy sets bounds from a moment on, until another one sets others.
type SchedulePolicy struct {
	Cron string `json:"cron" doc:"Five fields, UTC"`
	Min  *int   `json:"min,omitempty"`
	Max  *int   `json:"max,omitempty"`
	// Desired is set once when the moment comes.
	Desired *int `json:"desired,omitempty"`
}

// PredictivePolicy has the group grown for the load that its own history lets
// expect. It never shrinks the group. What instances are needed for a load is
// taken from the targets, so that there must be one.
type PredictivePolicy struct {
	// Mode forecast only shows what it would do.
	Mode string `json:"mode,omitempty" enum:"scale,forecast" doc:"Default scale"`
	// Ahead is how long before a load the instances for it are to be there.
	Ahead Duration `json:"ahead,omitempty" doc:"Default 5m"`
}

// PredictForecast is the mode of a predictive policy that changes nothing.
const PredictForecast = "forecast"

// GroupForecast is what is known and expected of a group's load. Loads are in
// instances that are busy to their target.
type GroupForecast struct {
	Group string   `json:"group"`
	Slot  Duration `json:"slot"` // length of each slot
	// History is the average load of past slots, at most 14 days, oldest first.
	History []LoadSlot `json:"history"`
	// Forecast are the slots from the present one on, for 48 hours; empty
	// before there is a day of history.
	Forecast []LoadSlot `json:"forecast"`
}

// LoadSlot is the load of one slot of time.
type LoadSlot struct {
	Time time.Time `json:"time"` // its beginning
	Load float64   `json:"load"`
}
