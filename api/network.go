package api

import "net/netip"

// Network is an L2 segment with a subnet, a gateway and name resolution.
type Network struct {
	Meta
	Spec NetworkSpec `json:"spec"`
	// Instances are the names of the attached instances; computed when read.
	Instances []string `json:"instances,omitempty"`
}

// NetworkSpec describes a network.
type NetworkSpec struct {
	Subnet  netip.Prefix `json:"subnet,omitzero" doc:"Default a free /20 of the node's pool"`
	Gateway netip.Addr   `json:"gateway,omitzero" doc:"Default the subnet's first address"`
	// Internal networks have no way out and cannot be reached from outside.
	Internal bool `json:"internal,omitempty"`
	// Isolated networks do not let their instances see each other.
	Isolated bool `json:"isolated,omitempty"`
	MTU      int  `json:"mtu,omitempty" doc:"Default 1500"`
}
