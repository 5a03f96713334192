package network

import (
	"errors"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
)

// Kind says what is at the instance's end of its links.
type Kind int

const (
	Veth Kind = iota // an interface in a namespace that its processes are in
	Tap              // a file for the monitor of a virtual machine
)

// Request asks for an instance's place on the network.
type Request struct {
	Instance string // id
	Name     string
	Project  string
	Labels   map[string]string
	Group    string // that it is a member of, or ""
	Hostname string // default Name
	Kind     Kind
	Queues   int              // of each interface of kind Tap; default 1
	Networks []api.Attachment // one "host" or "none", or networks by name; default one "default"
	Ports    []api.Port
	// Rate limits each interface.
	Rate api.NetworkRate
	// Keep are the addresses of an earlier life, to be given again.
	Keep []api.AddressOn
	// UserNS asks for a user namespace; without one the network namespace
	// belongs to the node's own.
	UserNS  bool
	Sysctls map[string]string // net.* only, set in the namespace

	DNS        []string // name servers to forward to instead of the node's
	DNSSearch  []string // search domains instead of the project's
	DNSOptions []string // of the resolver
	ExtraHosts []string // NAME:ADDRESS lines of /etc/hosts

	// Share, unless nil, is the running instance on whose ground this one is to
	// stand.
	Share *Share

	// PID is a process of an instance that runs already: Adopt finds its
	// namespaces by it. 0 when it is not known.
	PID int
}

// Share is a running instance whose namespaces another one shares. The other has
// its user namespace, when it has one, for who shares a namespace has to have
// rights in it.
type Share struct {
	Of  Request // its own, with its PID
	Net bool    // and its network namespace
}

// Attachment is an instance's place on the network. Close closes its files;
// the namespaces live on while the instance's processes do, its TAPs while its
// monitor has them open.
type Attachment struct {
	Sandbox   engine.Sandbox
	Addresses []api.AddressOn
	Ports     []api.Port // with the host ports chosen
	Resolv    []byte     // contents of /etc/resolv.conf; a guest is told the same by DHCP
	Hosts     []byte     // contents of /etc/hosts
}

// Close closes the sandbox's files.
func (a *Attachment) Close() error {
	var errs []error
	for _, f := range []*os.File{a.Sandbox.UserNS, a.Sandbox.NetNS} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(append(errs, closeTaps(a.Sandbox.Taps))...)
}
