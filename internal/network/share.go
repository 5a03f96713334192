package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// beside makes a network namespace in the user namespace of another instance.
func (f *Fabric) beside(s *Share) (*place, error) {
	user, ids, err := f.userOf(s)
	if err != nil {
		return nil, err
	}
	p := &place{Pair: namespace.Pair{User: user}, ids: ids}
	if p.Net, err = namespace.NewNetIn(user); err != nil {
		return nil, errors.Join(err, f.discard(p))
	}
	return p, nil
}

// attachShared gives the network that another instance has. Its addresses, ports
// and names stay that one's.
func (f *Fabric) attachShared(r Request) (*Attachment, error) {
	of := &r.Share.Of
	f.mu.Lock()
	var ports []port
	if m := f.members[of.Instance]; m != nil {
		ports = m.ports
	}
	f.mu.Unlock()
	at := addressesOn(ports)
	a := &Attachment{Hosts: hostsFile(*of, at), Resolv: f.resolvOf(*of, ports)}
	var err error
	if a.Sandbox.NetNS, err = openNamespace(of, "net"); err != nil {
		return nil, err
	}
	if r.UserNS {
		if a.Sandbox.UserNS, a.Sandbox.IDs, err = f.userOf(r.Share); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	f.remember(r, &place{ids: a.Sandbox.IDs}, nil)
	return a, nil
}

// resolvOf is /etc/resolv.conf of an instance on ports.
func (f *Fabric) resolvOf(r Request, ports []port) []byte {
	switch {
	case len(ports) > 0:
		return f.resolvConf(r, ports[0].segment)
	case len(r.Networks) > 0 && r.Networks[0].Network == api.NetworkHost:
		return f.hostResolv(r)
	}
	return noResolv
}

// noResolv is /etc/resolv.conf where there is no network.
var noResolv = []byte("# no network\n")

// userOf opens the user namespace of an instance and keeps its ids from being
// given to others, until they are freed once more.
func (f *Fabric) userOf(s *Share) (*os.File, uint32, error) {
	user, err := openNamespace(&s.Of, "user")
	if err != nil {
		return nil, 0, err
	}
	ids, ok := firstHostID(fmt.Sprintf("/proc/%d/uid_map", s.Of.PID))
	if !ok || ids < idBase {
		return nil, 0, errors.Join(notThere(&s.Of), user.Close())
	}
	f.ids.share(ids)
	return user, ids, nil
}

func openNamespace(of *Request, kind string) (*os.File, error) {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", of.PID, kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notThere(of)
	}
	return ns, err
}

func notThere(of *Request) error {
	return api.Errorf(api.CodeConflict, "instance %s has ended, whose namespaces are to be shared", of.Name).WithHint("virga start %s", of.Name)
}

// outlivedLocked reports whether others are in the network namespace of an
// instance: it does not vanish with its processes then.
//
// +checklocks:f.mu
func (f *Fabric) outlivedLocked(instance string) bool {
	for _, m := range f.members {
		if m.on == instance {
			return true
		}
	}
	return false
}
