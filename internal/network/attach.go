package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// Attach gives an instance its place on the networks it asks for: a ready one
// where that fits, else one made for it. A second call replaces the first.
func (f *Fabric) Attach(ctx context.Context, r Request) (*Attachment, error) {
	if err := f.Detach(ctx, r.Instance); err != nil {
		return nil, err
	}
	for name := range r.Sysctls {
		if err := checkSysctl(name); err != nil {
			return nil, err
		}
	}
	if err := checkNames(r); err != nil {
		return nil, err
	}
	if err := checkKind(r); err != nil {
		return nil, err
	}
	if r.Share != nil && r.Share.Net {
		return f.attachShared(r)
	}
	if len(r.Networks) == 0 {
		r.Networks = []api.Attachment{{Network: api.NetworkDefault}}
	}
	switch r.Networks[0].Network {
	case api.NetworkHost:
		if r.Kind == Tap {
			return nil, api.Invalid("spec.networks", "a virtual machine cannot be on the node's own network").
				WithHint("publish its ports instead")
		}
		return f.attachHost(r)
	case api.NetworkNone:
		return f.attachNone(r)
	}
	return f.attach(ctx, r)
}

// attachHost gives a user namespace at most; the network is the node's.
func (f *Fabric) attachHost(r Request) (*Attachment, error) {
	if err := alone(r); err != nil {
		return nil, err
	}
	if len(r.Sysctls) > 0 {
		return nil, api.Invalid("spec.sysctls", "settings of the network cannot be changed on network host")
	}
	a := &Attachment{Hosts: hostsFile(r, nil), Resolv: f.hostResolv(r)}
	if !r.UserNS {
		return a, nil
	}
	p, err := f.newNamespaces(true, r.Share)
	if err != nil {
		return nil, err
	}
	if err := p.Net.Close(); err != nil {
		return nil, errors.Join(err, p.User.Close())
	}
	a.Sandbox = engine.Sandbox{UserNS: p.User, IDs: p.ids}
	f.remember(r, &place{ids: p.ids}, nil)
	return a, nil
}

// attachNone gives a network namespace with nothing but loopback.
func (f *Fabric) attachNone(r Request) (*Attachment, error) {
	if err := alone(r); err != nil {
		return nil, err
	}
	p, err := f.newPlace(r.UserNS, r.Share, nil)
	if err != nil {
		return nil, err
	}
	if err := p.sysctls(r.Sysctls); err != nil {
		return nil, errors.Join(err, f.discard(p))
	}
	f.remember(r, p, nil)
	return &Attachment{Sandbox: p.sandbox(), Hosts: hostsFile(r, nil), Resolv: noResolv}, nil
}

// alone refuses what only a network of one's own can have.
func alone(r Request) error {
	if len(r.Networks) > 1 {
		return api.Invalid("spec.networks", "network %s cannot be combined with others", r.Networks[0].Network)
	}
	if len(r.Ports) > 0 && r.Networks[0].Network == api.NetworkNone {
		return api.Invalid("spec.ports", "an instance without a network cannot publish ports")
	}
	return nil
}

// attach gives a place on networks of this node.
func (f *Fabric) attach(ctx context.Context, r Request) (*Attachment, error) {
	defer f.unask(r.Instance)
	wants, err := f.wants(r)
	if err != nil {
		return nil, err
	}
	p, err := f.settle(r, wants)
	if err != nil {
		return nil, err
	}
	if r.Rate != (api.NetworkRate{}) {
		if err := f.limit(r.Instance, p.ports, r.Rate); err != nil {
			f.unlimit(p.ports, r.Rate)
			return nil, errors.Join(err, f.drop(p))
		}
	}
	published, err := f.publish(r, p.ports)
	if err != nil {
		f.unlimit(p.ports, r.Rate)
		return nil, errors.Join(err, f.drop(p))
	}
	f.labels.set(r.Instance, p.ports)
	m := f.remember(r, p, published)
	if err := f.guide(ctx, m, p.ports); err != nil {
		return nil, errors.Join(err, f.Detach(ctx, r.Instance), p.close())
	}
	a := &Attachment{Sandbox: p.sandbox(), Addresses: addressesOn(p.ports)}
	for _, b := range published {
		if !b.twin {
			a.Ports = append(a.Ports, b.port)
		}
	}
	a.Hosts, a.Resolv = hostsFile(r, a.Addresses), f.resolvConf(r, p.ports[0].segment)
	return a, nil
}

// wants resolves the networks asked for and claims addresses that are asked
// for; others are left open.
func (f *Fabric) wants(r Request) ([]want, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []want
	seen := map[*segment]bool{}
	for i, a := range r.Networks {
		field := fmt.Sprintf("spec.networks[%d]", i)
		s := f.segments[segmentKey(r.Project, a.Network)]
		if s == nil {
			return nil, api.Errorf(api.CodeNotFound, "network %q does not exist", a.Network).InField(field)
		}
		if seen[s] {
			return nil, api.Invalid(field, "network %q is named twice", a.Network)
		}
		seen[s] = true
		w := want{segment: s}
		if a.MAC != "" {
			var err error
			if w.mac, err = f.claimMAC(s, a, r.Instance, field+".mac"); err != nil {
				return nil, err
			}
		}
		if a.Address != "" {
			ip, err := netip.ParseAddr(a.Address)
			if err != nil || !s.free.holds(ip) {
				return nil, api.Invalid(field+".address", "%q is not an address of network %s (%s)", a.Address, s.name, s.subnet)
			}
			w.addr = ip
		}
		if a.Address6 != "" {
			var err error
			if w.addr6, err = f.claim6(s, a.Address6, r.Instance, field+".address6"); err != nil {
				return nil, err
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// settle finds or makes a place and fills in the addresses of wants.
func (f *Fabric) settle(r Request, wants []want) (*place, error) {
	if len(wants) == 1 && r.UserNS && r.Share == nil && r.Kind == Veth && wants[0].segment == f.warm.segment && wants[0].mac == nil && !wants[0].addr6.IsValid() {
		p, err := f.settleWarm(r, &wants[0])
		if p != nil || err != nil {
			return p, err
		}
	}
	for i := range wants {
		if err := f.choose(r, &wants[i]); err != nil {
			f.freeAll(wants[:i])
			return nil, err
		}
	}
	p, err := f.placeFor(r, wants)
	if err != nil {
		f.freeAll(wants)
		return nil, err
	}
	if err := p.sysctls(r.Sysctls); err != nil {
		return nil, errors.Join(err, f.drop(p))
	}
	return p, nil
}

// settleWarm takes a ready place; nil when there is none.
func (f *Fabric) settleWarm(r Request, w *want) (*place, error) {
	prefer := w.addr
	if !prefer.IsValid() {
		prefer = kept(r, w.segment)
	}
	p := f.warm.take(prefer)
	if p == nil {
		return nil, nil
	}
	if prefer.IsValid() && p.ports[0].addr != prefer {
		spare := p.ports[0].addr
		err := f.choose(r, w)
		if err == nil && (w.addr == prefer) {
			err = f.readdress(p, w.addr)
			f.free(w.segment, spare)
		} else if err == nil {
			// The address of the earlier life is taken; the spare one is as
			// good as any.
			f.free(w.segment, w.addr)
		}
		if err != nil {
			return nil, errors.Join(err, f.drop(p))
		}
	}
	w.addr = p.ports[0].addr
	if err := p.sysctls(r.Sysctls); err != nil {
		return nil, errors.Join(err, f.drop(p))
	}
	return p, nil
}

// drop lets a place go with its addresses.
func (f *Fabric) drop(p *place) error {
	for _, q := range p.ports {
		f.free(q.segment, q.addr)
	}
	return f.discard(p)
}

func (p *place) sandbox() engine.Sandbox {
	return engine.Sandbox{UserNS: p.User, NetNS: p.Net, IDs: p.ids, Taps: p.taps}
}

// sysctls sets what an instance asked for.
func (p *place) sysctls(set map[string]string) error {
	if len(set) == 0 {
		return nil
	}
	return namespace.In(p.Net, func() error {
		for name, value := range set {
			if err := setSysctl(name, value); err != nil {
				return api.Invalid("spec.sysctls", "%v", err)
			}
		}
		return nil
	})
}
