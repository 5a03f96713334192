package metadata

import (
	"net/netip"
	"time"
)

// View is everything that one instance may learn of itself.
type View struct {
	ID, Name, Project string
	Hostname          string
	Image             string // configuration digest
	Type              string
	Spot              bool
	Started           time.Time
	Node, Region      string
	Arch              string
	Tags              map[string]string
	UserData          []byte
	PublicKeys        []Key
	Interfaces        []Interface // the first is the primary one

	// Action is the spot interruption that was announced, or nil.
	Action *Action
	// Rebalance is when leaving was recommended, or zero.
	Rebalance time.Time
	// Lifecycle is the group's target state for it, such as InService, or "".
	Lifecycle string

	Options Options
}

// Key is a public key that may log in.
type Key struct{ Name, OpenSSH string }

// Interface is one attachment to a network.
type Interface struct {
	MAC     string
	Address netip.Addr
	Subnet  netip.Prefix
	IPv6    []netip.Addr
	Network string
}

// Action is an announced end. Its time is stored once and never comes nearer.
type Action struct {
	Action string // "stop", "terminate" or "hibernate"
	Time   time.Time
}

// Options are how the service behaves for an instance. The zero value is the
// default: on, with and without tokens, one hop, tags shown.
type Options struct {
	Off           bool
	TokenRequired bool
	HopLimit      int // of the answer to a PUT; 0 is 1
	HideTags      bool
}
