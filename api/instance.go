package api

import "time"

// Isolation is what separates an instance from its neighbours.
type Isolation string

const (
	IsolationContainer Isolation = "container"
	IsolationMicroVM   Isolation = "microvm"
	IsolationVM        Isolation = "vm"
	IsolationUnikernel Isolation = "unikernel"
)

// Instance is one running workload.
type Instance struct {
	Meta
	// Group is the name of the group that made the instance and keeps it,
	// from the template of that revision; "" without one.
	Group         string `json:"group,omitempty"`
	GroupRevision int    `json:"groupRevision,omitempty"`
	GroupOrdinal  int    `json:"groupOrdinal,omitempty"` // place in a stateful group, from 0
	// Warm instances wait in their group's warm pool.
	Warm bool `json:"warm,omitempty"`
	// Protected instances are not chosen when their group scales in.
	Protected bool         `json:"protected,omitempty"`
	Spec      InstanceSpec `json:"spec"`
	// Type is what the instance was promised when it was made or last resized:
	// a copy, so that a later change of the catalogue changes no instance. It
	// is a custom type where the spec names none.
	Type *InstanceType `json:"type,omitempty"`
	// Desired is written only by the control plane.
	Desired Desired `json:"desired"`
	// Spot is what the market has decided for a spot instance, nil for an
	// on-demand one.
	Spot *SpotStatus `json:"spot,omitempty"`
	// Node is the name of the node the instance is bound to, "" while pending.
	Node string `json:"node,omitempty"`
	// Status is written only by that node.
	Status InstanceStatus `json:"status"`
	// Credits is the account of a burst instance at the moment it was asked
	// for; it is not stored.
	Credits *CPUCredits `json:"credits,omitempty"`
	// Cost is what it costs, at the moment it was asked for; it is not stored.
	Cost *InstanceCost `json:"cost,omitempty"`
	// Disk is the use of a writable layer with a size at the moment it was
	// asked for; it is not stored.
	Disk *DiskUsage `json:"disk,omitempty"`
}

// Desired is the state the control plane wants.
type Desired struct {
	State DesiredState `json:"state"`
	// Life counts the starts asked for: raising it while State is running
	// restarts the instance.
	Life int `json:"life"`
	// StopSignal and StopTimeout override the spec's for this stop.
	StopSignal  string    `json:"stopSignal,omitempty"`
	StopTimeout *Duration `json:"stopTimeout,omitempty"`
	// Waits says that the start has been let in but room for it is still being
	// made; nil lets the node start it.
	Waits *Wait `json:"waits,omitempty"`
	// Remove asks the node to give back everything the instance holds; the
	// object is deleted when that is done.
	Remove bool `json:"remove,omitempty"`
}

// Wait is why a start has to wait.
type Wait struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// DesiredState is one of the three states an instance can be asked to be in.
type DesiredState string

const (
	DesiredRunning DesiredState = "running"
	DesiredPaused  DesiredState = "paused"
	DesiredStopped DesiredState = "stopped"
)

// InstanceSpec is what the user asked for. The zero value of an optional field
// means the image's value or the documented default.
type InstanceSpec struct {
	Image     string    `json:"image" doc:"Image reference, such as debian:12 or virga/hello"`
	Isolation Isolation `json:"isolation,omitempty" enum:"container,microvm,vm,unikernel" doc:"Default container"`
	// Type names an instance type; "" makes a custom type of the limits below.
	Type string `json:"type,omitempty" doc:"Instance type, such as burst.small"`
	// CreditMode replaces the default of a burst type.
	CreditMode CreditMode `json:"creditMode,omitempty" enum:"standard,unlimited" doc:"What a burst type does without credits"`

	// Spot buys spare capacity; nil is on-demand.
	Spot *Spot `json:"spot,omitempty" doc:"Run on spare capacity; default on-demand"`

	// Placement says on which node it goes; nil leaves that open.
	Placement *Placement `json:"placement,omitempty" doc:"Which nodes may have it, and which should"`

	// Process.
	Entrypoint  []string  `json:"entrypoint,omitempty" doc:"Replaces the image's entrypoint; one empty string clears it"`
	Command     []string  `json:"command,omitempty" doc:"Replaces the image's command"`
	Env         []string  `json:"env,omitempty" doc:"KEY=VALUE, added to the image's"`
	WorkingDir  string    `json:"workingDir,omitempty"`
	User        string    `json:"user,omitempty" doc:"user[:group], names or numbers"`
	Groups      []string  `json:"groups,omitempty" doc:"Additional groups"`
	TTY         bool      `json:"tty,omitempty" doc:"Give the process a terminal"`
	Stdin       bool      `json:"stdin,omitempty" doc:"Keep standard input open"`
	StdinOnce   bool      `json:"stdinOnce,omitempty" doc:"Close standard input when the first attached client leaves"`
	Init        bool      `json:"init,omitempty" doc:"Run a tiny init as PID 1 that reaps and forwards signals"`
	StopSignal  string    `json:"stopSignal,omitempty" doc:"Default the image's, else SIGTERM"`
	StopTimeout *Duration `json:"stopTimeout,omitempty" doc:"Time from the stop signal to SIGKILL; default 10s"`

	// Names and networks.
	Hostname   string       `json:"hostname,omitempty" doc:"Default the instance's name"`
	Networks   []Attachment `json:"networks,omitempty" doc:"Default one attachment to the network default"`
	Ports      []Port       `json:"ports,omitempty"`
	DNS        []string     `json:"dns,omitempty" doc:"Name servers instead of the node's"`
	DNSSearch  []string     `json:"dnsSearch,omitempty"`
	DNSOptions []string     `json:"dnsOptions,omitempty" doc:"Options of the resolver, as in resolv.conf, such as ndots:2"`
	ExtraHosts []string     `json:"extraHosts,omitempty" doc:"NAME:ADDRESS lines for /etc/hosts"`

	// Metadata service.
	Metadata MetadataOptions `json:"metadata,omitzero"`
	UserData []byte          `json:"userData,omitempty" doc:"At most 16 KiB, for the workload to read from the metadata service"`

	// Files.
	Mounts   []Mount `json:"mounts,omitempty"`
	ReadOnly bool    `json:"readOnly,omitempty" doc:"Mount the root file system read-only"`
	ShmSize  int64   `json:"shmSize,omitempty" doc:"Bytes of /dev/shm; default 64 MiB"`

	Log LogLimits `json:"log,omitzero"`

	Namespaces Namespaces `json:"namespaces,omitzero"`

	Resources Resources `json:"resources,omitzero"`
	Security  Security  `json:"security,omitzero"`

	Restart    RestartPolicy `json:"restart,omitzero"`
	Health     *HealthCheck  `json:"health,omitempty" doc:"Replaces the image's health check"`
	AutoRemove bool          `json:"autoRemove,omitempty" doc:"Remove the instance when it has stopped"`
}

// Attachment connects an instance to a network.
type Attachment struct {
	// Network is a network's name, "none" or "host".
	Network  string   `json:"network"`
	Address  string   `json:"address,omitempty" doc:"Static IPv4 address"`
	Address6 string   `json:"address6,omitempty" doc:"Static IPv6 address; default one that ends in the IPv4 address"`
	MAC      string   `json:"mac,omitempty"`
	Aliases  []string `json:"aliases,omitempty" doc:"Further names on this network"`
}

const (
	NetworkDefault = "default" // the NATed network every node has
	NetworkNone    = "none"    // loopback only
	NetworkHost    = "host"    // the node's own network
)

// Port publishes an instance's port on the node.
type Port struct {
	HostIP   string `json:"hostIP,omitempty" doc:"Default every address"`
	HostPort uint16 `json:"hostPort,omitempty" maximum:"65535" doc:"0 picks a free port"`
	Port     uint16 `json:"port" maximum:"65535"`
	Protocol string `json:"protocol,omitempty" enum:"tcp,udp" doc:"Default tcp"`
}

// Mount puts something at Target inside the instance.
type Mount struct {
	Type     MountType `json:"type" enum:"bind,volume,tmpfs"`
	Source   string    `json:"source,omitempty" doc:"Host path of a bind, name of a volume; a volume without one is anonymous"`
	Target   string    `json:"target" doc:"Absolute path inside the instance"`
	ReadOnly bool      `json:"readOnly,omitempty"`
	NoCopy   bool      `json:"noCopy,omitempty" doc:"Do not fill an empty volume from the image"`
	Size     int64     `json:"size,omitempty" doc:"Bytes a tmpfs may hold; 0 is half the memory limit"`
	Mode     uint32    `json:"mode,omitempty" doc:"Permission bits of a tmpfs; default 01777"`
	UID      uint32    `json:"uid,omitempty" doc:"Owner of a tmpfs, as the instance sees it; default root"`
	GID      uint32    `json:"gid,omitempty" doc:"Group of a tmpfs"`
	Exec     bool      `json:"exec,omitempty" doc:"Let programs on a tmpfs be executed"`
	Claim    bool      `json:"claim,omitempty" doc:"In a stateful group: a volume of its own for each instance, named SOURCE-GROUP-ORDINAL"`
	// Create makes a missing bind source a directory, as docker run -v does.
	Create bool `json:"create,omitempty"`
}

// LogLimits bounds what is kept of an instance's output. Zero is the node's
// setting.
type LogLimits struct {
	Size  int64 `json:"size,omitempty" minimum:"0" doc:"Bytes at which a file of the log is rotated, 64 KiB at least"`
	Files int   `json:"files,omitempty" minimum:"0" maximum:"101" doc:"Files kept, with the one that is written to"`
}

type MountType string

const (
	MountBind   MountType = "bind"
	MountVolume MountType = "volume"
	MountTmpfs  MountType = "tmpfs"
)

// Resources limits an instance. Zero means no limit unless a field says otherwise.
type Resources struct {
	CPUs              float64     `json:"cpus,omitempty" minimum:"0" doc:"Hard CPU quota in vCPUs"`
	CPUShares         int64       `json:"cpuShares,omitempty" minimum:"0" doc:"Relative weight under contention; default 1024"`
	CPUSet            string      `json:"cpuSet,omitempty" doc:"Host CPUs it may use, such as 0-1,3"`
	Memory            int64       `json:"memory,omitempty" minimum:"0" doc:"Hard memory limit in bytes"`
	MemoryReservation int64       `json:"memoryReservation,omitempty" minimum:"0" doc:"Soft limit in bytes"`
	MemorySwap        int64       `json:"memorySwap,omitempty" minimum:"-1" doc:"Memory plus swap in bytes; -1 unlimited, 0 the same as memory"`
	Disk              int64       `json:"disk,omitempty" minimum:"0" doc:"Bytes the writable layer may hold; 0 is no limit"`
	PidsLimit         int64       `json:"pidsLimit,omitempty" minimum:"-1" doc:"Default 4096; -1 unlimited"`
	BlockIO           BlockIO     `json:"blockIO,omitzero"`
	NetworkRate       NetworkRate `json:"networkRate,omitzero"`
	OOMScoreAdj       int         `json:"oomScoreAdj,omitempty" minimum:"-1000" maximum:"1000"`
	Ulimits           []Ulimit    `json:"ulimits,omitempty"`
}

// NetworkRate limits the traffic of each of an instance's interfaces, in bits
// per second as the instance sees it.
type NetworkRate struct {
	IngressBPS int64 `json:"ingressBps,omitempty" minimum:"0" doc:"Bits per second that it may receive"`
	EgressBPS  int64 `json:"egressBps,omitempty" minimum:"0" doc:"Bits per second that it may send"`
}

// BlockIO limits the traffic to the device that holds the instance's files.
type BlockIO struct {
	Weight   uint16 `json:"weight,omitempty" doc:"10 to 1000; default 500"`
	ReadBPS  int64  `json:"readBps,omitempty" minimum:"0" doc:"Bytes per second"`
	WriteBPS int64  `json:"writeBps,omitempty" minimum:"0"`
	ReadOPS  int64  `json:"readOps,omitempty" minimum:"0" doc:"Operations per second"`
	WriteOPS int64  `json:"writeOps,omitempty" minimum:"0"`
}

// Ulimit is one resource limit of the process; -1 is unlimited.
type Ulimit struct {
	Name string `json:"name" doc:"As in ulimit, such as nofile"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Security widens or narrows the default confinement.
type Security struct {
	CapAdd     []string `json:"capAdd,omitempty" doc:"Capability names with or without CAP_, or ALL"`
	CapDrop    []string `json:"capDrop,omitempty"`
	Privileged bool     `json:"privileged,omitempty" doc:"All capabilities, all devices, no seccomp, no user namespace"`
	// Seccomp is "default" (or ""), "unconfined" or a profile in Docker's JSON form.
	Seccomp string `json:"seccomp,omitempty"`
	// UserNS is "private" (or ""), or "host" for no user namespace.
	UserNS          string            `json:"userns,omitempty" enum:"private,host"`
	NewPrivileges   bool              `json:"newPrivileges,omitempty" doc:"Allow set-uid programs to gain privileges"`
	Devices         []Device          `json:"devices,omitempty"`
	Sysctls         map[string]string `json:"sysctls,omitempty" doc:"Namespaced sysctls"`
	SystemPathsOpen bool              `json:"systemPathsOpen,omitempty" doc:"Do not mask or protect paths under /proc and /sys"`
}

// Device gives an instance a device node of the host.
type Device struct {
	Path   string `json:"path" doc:"Path on the host"`
	Target string `json:"target,omitempty" doc:"Path in the instance; default the same"`
	Access string `json:"access,omitempty" doc:"Any of r, w, m; default rwm"`
}

// RestartPolicy says when an ended instance is started again. Restarts back
// off from 100 ms to one minute, and the wait is reset by ten seconds of life.
type RestartPolicy struct {
	Policy     string `json:"policy,omitempty" enum:"no,always,on-failure,unless-stopped" doc:"Default no"`
	MaxRetries int    `json:"maxRetries,omitempty" minimum:"0" doc:"For on-failure; 0 is unlimited"`
}

const (
	RestartNo            = "no"
	RestartAlways        = "always"
	RestartOnFailure     = "on-failure"
	RestartUnlessStopped = "unless-stopped"
)

// HealthCheck is a command run in the instance at intervals.
type HealthCheck struct {
	// Test is ["NONE"], ["CMD", arg…] or ["CMD-SHELL", script].
	Test        []string `json:"test"`
	Interval    Duration `json:"interval,omitempty" doc:"Default 30s"`
	Timeout     Duration `json:"timeout,omitempty" doc:"Default 30s"`
	StartPeriod Duration `json:"startPeriod,omitempty" doc:"Failures within it do not count"`
	// StartInterval is the interval within StartPeriod; default 5s.
	StartInterval Duration `json:"startInterval,omitempty"`
	Retries       int      `json:"retries,omitempty" doc:"Failures in a row that make it unhealthy; default 3"`
}
