package api

// Rule says whether some instances may open connections to others that share
// a network with them. Deny wins over allow; where no rule speaks, the
// network's policy holds.
type Rule struct {
	Meta
	Spec RuleSpec `json:"spec"`
	// Packets and Bytes are what it has matched since the daemon started;
	// computed when read.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// RuleSpec describes a rule.
type RuleSpec struct {
	Action RuleAction `json:"action" enum:"allow,deny"`
	// From and To select instances: by name, by the name of a group, by a label
	// KEY=VALUE, or * for all of the project.
	From     string `json:"from" doc:"An instance, a group, a label KEY=VALUE, or *"`
	To       string `json:"to" doc:"An instance, a group, a label KEY=VALUE, or *"`
	Protocol string `json:"protocol,omitempty" enum:"tcp,udp" doc:"Default every one"`
	Port     uint16 `json:"port,omitempty" maximum:"65535" doc:"Of To; default every one"`
}

// RuleAction is what becomes of a connection.
type RuleAction string

const (
	RuleAllow RuleAction = "allow"
	RuleDeny  RuleAction = "deny"
)
