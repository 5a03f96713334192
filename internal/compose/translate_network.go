package compose

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

const mtuOption = "com.docker.network.driver.mtu"

func (t *translation) networks() error {
	taken := names{}
	for _, key := range slices.Sorted(maps.Keys(t.p.Networks)) {
		n := t.p.Networks[key]
		if !t.networkUsed(key) {
			continue
		}
		field := "networks." + key
		if n.External {
			t.plan.ExternalNetworks = append(t.plan.ExternalNetworks, n.Name)
			continue
		}
		r := api.NetworkRequest{Name: name(n.Name), Labels: map[string]string{}}
		maps.Copy(r.Labels, n.Labels)
		r.Labels[LabelProject] = t.p.Name
		r.Spec.Internal = bool(n.Internal)
		r.Spec.IPv4Only = n.EnableIPv6 != nil && !*n.EnableIPv6
		if n.Driver != "" && n.Driver != "bridge" && n.Driver != "default" {
			t.warn(field+".driver", "%q is not honoured: the network is a bridge", n.Driver)
		}
		if v := n.DriverOpts[mtuOption]; v != "" {
			mtu, err := strconv.Atoi(v)
			if err != nil {
				return api.Invalid(field+".driver_opts", "MTU %q is not a number", v)
			}
			r.Spec.MTU = mtu
		}
		for _, pool := range n.Ipam.Config {
			if err := subnet(field, pool, &r.Spec); err != nil {
				return err
			}
		}
		if err := taken.take(r.Name, "network "+key); err != nil {
			return err
		}
		var err error
		if r.Labels, err = withHash(r.Labels, r.Spec); err != nil {
			return err
		}
		t.plan.Networks = append(t.plan.Networks, r)
		if r.Spec.Internal && len(t.plan.Rules) == 0 {
			t.plan.Rules = append(t.plan.Rules, Rule(t.p.Name))
		}
	}
	return nil
}

// networkUsed reports whether a service that is to run is on the network.
func (t *translation) networkUsed(key string) bool {
	for _, s := range t.p.Services {
		if _, ok := s.Networks[key]; ok && s.NetworkMode == "" {
			return true
		}
	}
	return false
}

func subnet(field string, pool *types.IPAMPool, spec *api.NetworkSpec) error {
	field += ".ipam.config"
	if pool.Subnet == "" {
		return nil
	}
	p, err := netip.ParsePrefix(pool.Subnet)
	if err != nil {
		return api.Invalid(field, "subnet %q is not ADDRESS/BITS", pool.Subnet)
	}
	var gateway netip.Addr
	if pool.Gateway != "" {
		if gateway, err = netip.ParseAddr(pool.Gateway); err != nil {
			return api.Invalid(field, "gateway %q is not an address", pool.Gateway)
		}
	}
	if p.Addr().Is4() {
		spec.Subnet, spec.Gateway = p, gateway
		return nil
	}
	spec.Subnet6, spec.Gateway6 = p, gateway
	return nil
}

// networkName is what a network of the file is called in virga.
func (t *translation) networkName(key string) string {
	n := t.p.Networks[key]
	if n.External {
		return n.Name
	}
	return name(n.Name)
}

func (t *translation) attachments(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	field := "services." + s.Name
	switch {
	case s.NetworkMode == api.NetworkNone || s.NetworkMode == api.NetworkHost:
		spec.Networks = []api.Attachment{{Network: s.NetworkMode}}
		return nil
	case s.NetworkMode == "bridge" || s.NetworkMode == "default":
		spec.Networks = []api.Attachment{{Network: api.NetworkDefault}}
		return nil
	case strings.HasPrefix(s.NetworkMode, "container:"):
		spec.Namespaces.Network = api.NamespaceOf + strings.TrimPrefix(s.NetworkMode, "container:")
		return nil
	case strings.Contains(s.NetworkMode, ":"):
		return api.Errorf(api.CodeNotSupported, "service %s: network_mode %q is not supported", s.Name, s.NetworkMode).
			InField(field + ".network_mode").WithHint("put both services on one network: they reach each other by their names")
	case s.NetworkMode != "":
		return api.Invalid(field+".network_mode", "unknown network_mode %q", s.NetworkMode)
	}
	for _, key := range s.NetworksByPriority() {
		a := api.Attachment{Network: t.networkName(key)}
		c := s.Networks[key]
		if c.ServiceNameAliasEnabled() {
			a.Aliases = append(a.Aliases, s.Name)
		}
		if c != nil {
			a.Address, a.Address6, a.MAC = c.Ipv4Address, c.Ipv6Address, c.MacAddress
			for _, alias := range c.Aliases {
				if !slices.Contains(a.Aliases, alias) {
					a.Aliases = append(a.Aliases, alias)
				}
			}
		}
		spec.Networks = append(spec.Networks, a)
	}
	return nil
}

func (t *translation) ports(s *types.ServiceConfig, spec *api.InstanceSpec) error {
	for _, p := range s.Ports {
		port := api.Port{HostIP: p.HostIP, Port: uint16(p.Target), Protocol: p.Protocol}
		if port.HostIP == "0.0.0.0" {
			port.HostIP = ""
		}
		if port.Protocol == "tcp" {
			port.Protocol = ""
		}
		if p.Published != "" {
			n, err := strconv.ParseUint(p.Published, 10, 16)
			if err != nil {
				return api.Invalid("services."+s.Name+".ports", "published port %q is not one port", p.Published).
					WithHint("leave it out to get any free port")
			}
			port.HostPort = uint16(n)
		}
		spec.Ports = append(spec.Ports, port)
	}
	return nil
}
