package compose

import "github.com/virga-cloud/virga/api"

// Labels of everything that a project owns.
const (
	LabelProject   = "virga.compose.project"
	LabelService   = "virga.compose.service"
	LabelHash      = "virga.compose.config-hash"
	LabelDependsOn = "virga.compose.depends-on" // names of services, with commas
)

// Plan is what a project asks virga for. It is inert, and the same for the same
// project.
type Plan struct {
	Project  string               `json:"project"`
	Networks []api.NetworkRequest `json:"networks,omitempty"`
	Volumes  []api.VolumeRequest  `json:"volumes,omitempty"`
	// External are networks and volumes that must exist.
	ExternalNetworks []string `json:"externalNetworks,omitempty"`
	ExternalVolumes  []string `json:"externalVolumes,omitempty"`
	// Rules let the services of one project reach each other, where a network
	// lets nobody by default.
	Rules []api.RuleSpec `json:"rules,omitempty"`
	Files []File         `json:"files,omitempty"`
	// Workloads are ordered: each comes after those it depends on.
	Workloads []Workload `json:"workloads"`
	// Known are all services of the file, also those not chosen now: what
	// belongs to none of them is an orphan.
	Known []string `json:"known"`
	// Warnings name what is not honoured, one field each.
	Warnings []string `json:"warnings,omitempty"`
}

// Rule is the one that a project with an internal network has.
func Rule(project string) api.RuleSpec {
	all := LabelProject + "=" + project
	return api.RuleSpec{Action: api.RuleAllow, From: all, To: all}
}

// File is the content of a config or secret that no file of the user's holds.
// It is written before anything starts.
type File struct {
	Path    string `json:"path"` // on the node
	Content string `json:"-"`    // may be secret
	Mode    uint32 `json:"mode"`
}

// Workload is what one service becomes: an instance or a group.
type Workload struct {
	Service  string              `json:"service"`
	Instance *api.CreateRequest  `json:"instance,omitempty"`
	Group    *api.GroupRequest   `json:"group,omitempty"`
	Balancer *api.ServiceRequest `json:"balancer,omitempty"` // in front of a group with published ports
	After    []Dependency        `json:"after,omitempty"`
	Watch    []Watch             `json:"watch,omitempty"`
	Pull     string              `json:"pull,omitempty"` // pull policy: missing, always or never
	Build    bool                `json:"build,omitempty"`
	Quiet    bool                `json:"quiet,omitempty"` // its output is not shown by up
}

// Name is that of the workload's instance or group.
func (w Workload) Name() string {
	if w.Group != nil {
		return w.Group.Name
	}
	return w.Instance.Name
}

// Spec is that of the workload's instances.
func (w Workload) Spec() *api.InstanceSpec {
	if w.Group != nil {
		return &w.Group.Spec.Template
	}
	return &w.Instance.Spec
}

// Hash is the configuration's.
func (w Workload) Hash() string {
	if w.Group != nil {
		return w.Group.Spec.Labels[LabelHash]
	}
	return w.Instance.Labels[LabelHash]
}

// Dependency is a service that another one waits for.
type Dependency struct {
	Service   string    `json:"service"`
	Condition Condition `json:"condition"`
	// Optional dependencies that fail or are not there hold nothing up.
	Optional bool `json:"optional,omitempty"`
	// Restart restarts the dependent when the dependency was replaced.
	Restart bool `json:"restart,omitempty"`
}

// Condition is what a dependency must have reached.
type Condition string

const (
	Started   Condition = "service_started"
	Healthy   Condition = "service_healthy"
	Completed Condition = "service_completed_successfully"
)
