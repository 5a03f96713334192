package api

// Scaling says how a group's desired number follows its load. Several
// policies may apply: the group grows when any of them wants it and shrinks
// only when all of them agree.
type Scaling struct {
	Targets   []TargetPolicy   `json:"targets,omitempty"`
	Steps     []StepPolicy     `json:"steps,omitempty"`
	Schedules []SchedulePolicy `json:"schedules,omitempty"`
	// WarmUp is how long a new instance counts as capacity but not in the
	// metric.
	WarmUp Duration `json:"warmUp,omitempty" doc:"Default 10s"`
	// OutCooldown and InCooldown are the least times between two changes.
	OutCooldown Duration `json:"outCooldown,omitempty" doc:"Default 3s"`
	InCooldown  Duration `json:"inCooldown,omitempty" doc:"Default 60s"`
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
	// answers with a number.
	URL   string `json:"url"`
	Query string `json:"query,omitempty" doc:"PromQL; the sum of the result counts"`
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
	// Change is added to the number, or with Percent that share of it.
	Change  float64 `json:"change"`
	Percent bool    `json:"percent,omitempty"`
}

// SchedulePolicy sets bounds from a moment on, until another one sets others.
type SchedulePolicy struct {
	Cron string `json:"cron" doc:"Five fields, UTC"`
	Min  *int   `json:"min,omitempty"`
	Max  *int   `json:"max,omitempty"`
	// Desired is set once when the moment comes.
	Desired *int `json:"desired,omitempty"`
}
