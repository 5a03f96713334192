package api

import "time"

// Stats is what an instance has used, read at one moment. Counters grow from
// the instance's start.
type Stats struct {
	Instance string    `json:"instance"`
	Name     string    `json:"name"`
	Time     time.Time `json:"time"`
	CPU      CPUStats  `json:"cpu"`
	Memory   MemStats  `json:"memory"`
	Pids     PidStats  `json:"pids"`
	BlockIO  IOStats   `json:"blockIO"`
	Network  NetStats  `json:"network"`
	// Credits is the account of a burst instance.
	Credits *CPUCredits `json:"credits,omitempty"`
	// Disk is the writable layer's use, where it has a size.
	Disk *DiskUsage `json:"disk,omitempty"`
}

// CPUStats are CPU times.
type CPUStats struct {
	Usage     time.Duration `json:"usageNs"`
	User      time.Duration `json:"userNs"`
	System    time.Duration `json:"systemNs"`
	Periods   int64         `json:"periods"`
	Throttled int64         `json:"throttledPeriods"`
	// ThrottledTime is what the instance's own quota held back.
	ThrottledTime time.Duration `json:"throttledNs"`
	Limit         float64       `json:"limit"` // vCPUs, 0 without a quota
}

// MemStats are bytes.
type MemStats struct {
	Usage    int64 `json:"usage"` // without the page cache that can be dropped
	Cache    int64 `json:"cache"`
	Max      int64 `json:"max"`
	Limit    int64 `json:"limit"` // 0 without one
	OOMKills int64 `json:"oomKills"`
}

// PidStats count tasks.
type PidStats struct {
	Current int64 `json:"current"`
	Limit   int64 `json:"limit"` // 0 without one
}

// IOStats are bytes and operations.
type IOStats struct {
	ReadBytes  int64 `json:"readBytes"`
	WriteBytes int64 `json:"writeBytes"`
	ReadOps    int64 `json:"readOps"`
	WriteOps   int64 `json:"writeOps"`
}

// NetStats are seen from the instance.
type NetStats struct {
	RxBytes   int64 `json:"rxBytes"`
	TxBytes   int64 `json:"txBytes"`
	RxPackets int64 `json:"rxPackets"`
	TxPackets int64 `json:"txPackets"`
	RxDropped int64 `json:"rxDropped"`
	TxDropped int64 `json:"txDropped"`
	// Spoofed packets pretended to be somebody else's and were dropped.
	Spoofed int64 `json:"spoofed"`
}

// Process is one process of an instance.
type Process struct {
	PID     int           `json:"pid"` // on the node
	PPID    int           `json:"ppid"`
	UID     string        `json:"uid"` // inside the instance
	CPU     time.Duration `json:"cpuNs"`
	Memory  int64         `json:"memory"` // resident bytes
	Command string        `json:"command"`
	// Name is the program's, at most 15 bytes.
	Name string `json:"name,omitempty"`
	// State is the kernel's letter: R runs, S and D sleep, T is stopped, Z has
	// ended and waits to be reaped.
	State   string    `json:"state,omitempty"`
	Threads int       `json:"threads,omitempty"`
	Virtual int64     `json:"virtual,omitempty"` // bytes of address space
	Started time.Time `json:"started,omitzero"`
}
