package daemon

import (
	"context"
	"net/netip"
	"runtime"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/metadata"
)

// region is what a cloud of one node answers for where it is.
const region = "local"

// firstStatus is how long a workload that asks in its first moments waits for
// what the node has to say of its start.
const firstStatus = time.Second

// newMetadata makes the service that tells instances of themselves.
func (d *Daemon) newMetadata(authority *ca.Authority) *metadata.Service {
	key, certificate := authority.Signer()
	return metadata.New(metadata.Config{
		View: func(id string) (metadata.View, bool) { return viewOf(d.store, id) },
		Key:  key, Certificate: certificate, Now: time.Now, Log: d.log,
	})
}

func viewOf(s *store.Store, id string) (metadata.View, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), firstStatus)
	defer cancel()
	in, err := s.Instances.Await(ctx, id, func(i *api.Instance) bool { return i.Status.Phase != api.PhaseStarting && !i.Status.Phase.Ended() })
	if err != nil {
		// It starts slowly, or its end is under way.
		if in, err = s.Instances.View(id); err != nil {
			return metadata.View{}, false
		}
	}
	return view(in), true
}

// view is what an instance may learn of itself.
func view(in *api.Instance) metadata.View {
	v := metadata.View{
		ID: in.ID, Name: in.Name, Project: in.Project, Hostname: in.Spec.Hostname, Image: in.Status.Image,
		Type: in.TypeName(), Spot: in.Spec.Spot != nil, Started: in.Status.Started, Node: in.Node, Region: region,
		Arch: architecture(), Tags: in.Labels, UserData: in.Spec.UserData, Lifecycle: lifecycle(in),
		Options: metadata.Options{
			Off: in.Spec.Metadata.Mode == api.MetadataOff, TokenRequired: in.Spec.Metadata.Mode != api.MetadataV1,
			HopLimit: in.Spec.Metadata.HopLimit, HideTags: in.Spec.Metadata.HideTags,
		},
	}
	if v.Hostname == "" {
		v.Hostname = in.Name
	}
	for _, a := range in.Status.Addresses {
		n := metadata.Interface{MAC: a.MAC, Address: a.Address, Subnet: netip.PrefixFrom(a.Address, a.Prefix), Network: a.Network}
		if a.Address6.IsValid() {
			n.IPv6 = []netip.Addr{a.Address6}
		}
		v.Interfaces = append(v.Interfaces, n)
	}
	if m := in.Spot; m != nil {
		v.Rebalance = m.Rebalance
		if n := m.Notice; n != nil {
			v.Action = &metadata.Action{Action: string(n.Action), Time: n.Deadline}
		}
	}
	return v
}

// lifecycle is the target state of a member of a group, in EC2's words.
func lifecycle(in *api.Instance) string {
	switch {
	case in.Group == "":
		return ""
	case in.Desired.Remove || in.Desired.State == api.DesiredStopped || in.Spot != nil && in.Spot.Notice != nil:
		return "Terminated"
	}
	return "InService"
}

// architecture is the machine's, as EC2 and the kernel name it.
func architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "arm64"
	}
	return runtime.GOARCH
}
