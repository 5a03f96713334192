package node

import (
	"os"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/network"
)

// share finds the running instance whose namespaces another one shares; nil when
// that shares none.
func (a *Agent) share(in *api.Instance) (*network.Share, error) {
	s := shareOf(in)
	if s == nil {
		return nil, nil
	}
	of, err := a.instance(s.Of.Instance)
	if api.CodeOf(err) == api.CodeNotFound {
		return nil, api.Errorf(api.CodeConflict, "the instance is gone whose namespaces %s shares", in.Name).InField("spec.namespaces").
			WithHint("make %s again, with one that is there", in.Name)
	}
	if err != nil {
		return nil, err
	}
	if of.Status.Phase != api.PhaseRunning && of.Status.Phase != api.PhasePaused {
		return nil, api.Errorf(api.CodeConflict, "instance %s does not run, whose namespaces %s shares", of.Name, in.Name).
			InField("spec.namespaces").WithHint("virga start %s", of.Name)
	}
	s.Of = networkRequest(of)
	s.Of.PID = of.Status.PID
	return s, nil
}

// shareOf says what an instance shares, without what is known of the other but
// its id; nil for nothing.
func shareOf(in *api.Instance) *network.Share {
	n := in.Spec.Namespaces
	id := n.Instance()
	if id == "" {
		return nil
	}
	return &network.Share{Of: network.Request{Instance: id}, Net: strings.HasPrefix(n.Network, api.NamespaceOf)}
}

// hostname is the one that an instance has: of whose network it is on, or whose
// host name it shares, that one's.
func (a *Agent) hostname(in *api.Instance) string {
	n := in.Spec.Namespaces
	if n.UTS == api.NamespaceHost {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	if n.Network != "" {
		if of, err := a.Store.Instances.View(n.Instance()); err == nil {
			return a.hostname(of)
		}
	}
	return first(in.Spec.Hostname, in.Name)
}
