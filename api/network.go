package api

import "net/netip"

// Network is an L2 segment with a subnet, a gateway and name resolution.
type Network struct {
	Meta
	Spec NetworkSpec `json:"spec"`
	// Instances are the names of the attached instances; computed when read.
	Instances []string `json:"instances,omitempty"`
}

// NetworkSpec describes a network. In a stored one every field has its value.
type NetworkSpec struct {
	Subnet  netip.Prefix `json:"subnet,omitzero" doc:"IPv4; default a free /20 of the node's pool"`
	Gateway netip.Addr   `json:"gateway,omitzero" doc:"Default the subnet's first address"`
	// Subnet6 is between /64 and /96: the last 32 bits of an instance's
	// address are its IPv4 address, unless it asks for another.
	Subnet6  netip.Prefix `json:"subnet6,omitzero" doc:"IPv6, /64 to /96; default a free /64 of the node's own /48"`
	Gateway6 netip.Addr   `json:"gateway6,omitzero" doc:"Default the IPv6 subnet's first address"`
	IPv4Only bool         `json:"ipv4Only,omitempty" doc:"No IPv6 addresses"`
	// Internal networks have no way out and cannot be reached from outside.
	Internal bool `json:"internal,omitempty"`
	// Isolated networks do not let their instances see each other.
	Isolated bool `json:"isolated,omitempty"`
	// Policy is what becomes of connections between the network's instances
	// that no rule speaks of.
	Policy RuleAction `json:"policy,omitempty" enum:"allow,deny" doc:"Default deny when internal, else allow"`
	MTU    int        `json:"mtu,omitempty" minimum:"0" maximum:"65535" doc:"Bytes; default 1500"`
}

// ConnectRequest attaches an instance to a network. A running one has the
// interface when the call returns, and after every restart.
type ConnectRequest struct {
	Instance string   `json:"instance" doc:"Id or name"`
	Address  string   `json:"address,omitempty" doc:"Static IPv4 address"`
	Address6 string   `json:"address6,omitempty" doc:"Static IPv6 address"`
	MAC      string   `json:"mac,omitempty"`
	Aliases  []string `json:"aliases,omitempty" doc:"Further names on this network"`
}

// DisconnectRequest detaches an instance from a network.
type DisconnectRequest struct {
	Instance string `json:"instance" doc:"Id or name"`
}

// NetworkRequest asks for a network.
type NetworkRequest struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Spec   NetworkSpec       `json:"spec,omitzero"`
	// IfNotExists takes a network of that name which is as asked.
	IfNotExists bool `json:"ifNotExists,omitempty" doc:"A network of that name that is as asked is no error"`
}
