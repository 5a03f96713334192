package api

import "time"

// Node is a machine that runs instances.
type Node struct {
	Name    string `json:"name"`
	Version string `json:"version"` // virga's
	Kernel  string `json:"kernel"`
	Arch    string `json:"arch"`
	// Labels are what placements speak of: its own, and those of its configuration.
	Labels    map[string]string `json:"labels,omitempty"`
	Started   time.Time         `json:"started"` // of the daemon
	Capacity  Capacity          `json:"capacity"`
	Features  []Feature         `json:"features"`
	Cgroup    string            `json:"cgroup" enum:"v1,v2,hybrid"`
	DataDir   string            `json:"dataDir"`
	Instances map[Phase]int     `json:"instances,omitempty"`
}

// Capacity says what a node has, what may be given out and what is given out.
type Capacity struct {
	Physical    Amount `json:"physical"`
	Reserved    Amount `json:"reserved"`    // kept for the system
	Allocatable Amount `json:"allocatable"` // physical minus reserved
	Allocated   Amount `json:"allocated"`   // promised to instances
	Used        Amount `json:"used"`        // measured
}

// NodeCapacity is a node's capacity with the arithmetic behind it.
type NodeCapacity struct {
	Node string `json:"node"`
	Capacity
	// Overcommit is how many vCPUs are given out for each one that no
	// dedicated type has taken.
	Overcommit float64 `json:"cpuOvercommit"`
	// ThreadsPerCore is what a dedicated vCPU is rounded up to.
	ThreadsPerCore int             `json:"threadsPerCore"`
	Classes        []ClassCapacity `json:"classes"`
	Disk           DiskCapacity    `json:"disk"`
	Free           FreeCapacity    `json:"free"`
}

// DiskCapacity is what disk is promised to, in bytes. What has no size counts
// nothing.
type DiskCapacity struct {
	Layers  int64 `json:"layers"`  // sizes of the writable layers of all instances, stopped ones too
	Volumes int64 `json:"volumes"` // sizes of volumes
	// Overcommit is how many bytes are promised for each one allocatable.
	Overcommit float64 `json:"overcommit"`
}

// ClassCapacity is what the instances of one family hold together.
type ClassCapacity struct {
	Class     Family `json:"class"`
	Instances int    `json:"instances"`
	// VCPUs are those of their types, or of the quotas of custom ones.
	VCPUs float64 `json:"vcpus"`
	// Baseline is what burst types earn continuously, in vCPUs.
	Baseline float64 `json:"baseline,omitempty"`
	Memory   int64   `json:"memory"` // bytes, the sum of the limits
	// Unlimited counts those without a memory limit: they hold nothing and
	// live on what is left.
	Unlimited int `json:"unlimited,omitempty"`
}

// FreeCapacity is what a request may still ask for.
type FreeCapacity struct {
	Dedicated float64 `json:"dedicatedVcpus"`
	Shared    float64 `json:"sharedVcpus"` // burst, shared and custom, over-committed
	Baseline  float64 `json:"baselineVcpus"`
	Memory    int64   `json:"memory"`
	Disk      int64   `json:"disk"` // over-committed
}

// Amount is a quantity of each resource.
type Amount struct {
	VCPUs  float64 `json:"vcpus"`
	Memory int64   `json:"memory"` // bytes
	Disk   int64   `json:"disk"`   // bytes
}

// Feature is one ability of the kernel or the hardware that virga uses.
type Feature struct {
	Name    string `json:"name"`
	Present bool   `json:"present"`
	Detail  string `json:"detail,omitempty"`
	// Cost says what is lost where the feature is missing.
	Cost string `json:"cost,omitempty"`
	// Since is the first kernel version that has it.
	Since string `json:"since,omitempty"`
}

// Resource is one thing virga made on the node.
type Resource struct {
	Kind string `json:"kind"` // "mount", "netns", "veth", "tap", "cgroup", "rule", "process", "directory", "image-layer"
	Name string `json:"name"` // path, link name, pid, …
	// Owner is the id of the instance, volume or network that owns it, or
	// "node" for what the daemon itself needs.
	Owner string `json:"owner"`
	// Stale says that the owner no longer exists.
	Stale bool   `json:"stale,omitempty"`
	Error string `json:"error,omitempty"` // why a repair did not collect it
}

// CheckReport is the answer of a system check.
type CheckReport struct {
	Resources []Resource `json:"resources"`
	Stale     int        `json:"stale"`
	Repaired  int        `json:"repaired"`
}
