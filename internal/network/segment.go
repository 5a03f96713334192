package network

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/nft"
)

// segment is one network on this node: a bridge with the gateway's address.
type segment struct {
	key     string // project/name, or name for the node's default network
	name    string
	bridge  string
	index   int // of the bridge
	subnet  netip.Prefix
	gateway netip.Addr
	// subnet6 and gateway6 are invalid where there is no IPv6.
	subnet6  netip.Prefix
	gateway6 netip.Addr
	mtu      int
	spec     api.NetworkSpec

	// resolves says that the name server listens at the gateway.
	resolves atomic.Bool

	// door is where MetadataAddr leads; invalid where nobody listens. It is
	// written before the segment is installed.
	door netip.AddrPort

	// fronts are the services' addresses, of an internal network.
	fronts []netip.Addr // +checklocks:Fabric.mu
	free   *addresses   // +checklocks:Fabric.mu
}

// segmentKey names a network among those of all projects.
func segmentKey(project, name string) string {
	if name == api.NetworkDefault {
		return name
	}
	return project + "/" + name
}

// newSegment checks a network and fills its defaults; taken are the subnets
// of the others.
func (f *Fabric) newSegment(n api.Network, taken []netip.Prefix) (*segment, error) {
	s := &segment{
		key: segmentKey(n.Project, n.Name), name: n.Name, spec: n.Spec,
		subnet: n.Spec.Subnet.Masked(), gateway: n.Spec.Gateway, mtu: n.Spec.MTU,
	}
	if n.Spec.Subnet6.IsValid() && f.config.ipv6 {
		s.subnet6, s.gateway6 = n.Spec.Subnet6.Masked(), n.Spec.Gateway6
		if !s.gateway6.IsValid() {
			s.gateway6 = s.subnet6.Addr().Next()
		}
	}
	s.bridge = bridgeName(f.config.Prefix, s.key)
	if s.mtu == 0 {
		s.mtu = f.config.MTU
	}
	if !s.subnet.IsValid() {
		p, err := freeSubnet(f.config.Pool, 20, netip.Addr{}, taken)
		if err != nil {
			return nil, err
		}
		s.subnet = p
	}
	if !s.subnet.Addr().Is4() || s.subnet.Bits() > 30 {
		return nil, api.Invalid("spec.subnet", "subnet %s is not an IPv4 subnet with room for instances", s.subnet).
			WithHint("use a /30 or larger, such as 10.20.0.0/24")
	}
	if overlaps(s.subnet, taken) {
		return nil, api.Errorf(api.CodeConflict, "subnet %s of network %s overlaps another network", s.subnet, n.Name).
			InField("spec.subnet")
	}
	if !s.gateway.IsValid() {
		s.gateway = s.subnet.Addr().Next()
	}
	if s.subnet6.IsValid() && (s.subnet6.Bits() > 96 || !s.subnet6.Contains(s.gateway6) || overlaps(s.subnet6, taken)) {
		return nil, api.Invalid("spec.subnet6", "subnet %s with gateway %s of network %s cannot be used", s.subnet6, s.gateway6, n.Name).
			WithHint("use a free /64 of your own, such as fd00:20::/64")
	}
	s.free = newAddresses(s.subnet)
	if !s.free.claim(s.gateway) {
		return nil, api.Invalid("spec.gateway", "gateway %s is not an address of subnet %s", s.gateway, s.subnet)
	}
	return s, nil
}

// bridgeName fits the 15 characters that a link's name may have.
func bridgeName(prefix, key string) string {
	if key == api.NetworkDefault {
		return prefix + "0"
	}
	sum := sha256.Sum256([]byte(key))
	return prefix + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// up makes the bridge and gives it the gateway's address. Idempotent.
func (s *segment) up(c *link.Conn) error {
	if err := c.Do(link.AddBridge(s.bridge, s.mtu, outsideMAC(s.gateway))); err != nil {
		return err
	}
	l, err := c.ByName(s.bridge)
	if err != nil {
		return err
	}
	if l.Kind != "bridge" {
		return fmt.Errorf("link %s is a %s, not virga's bridge", s.bridge, l.Kind)
	}
	s.index = l.Index
	reqs := []link.Request{link.Up(l.Index), link.AddAddress(l.Index, s.gatewayPrefix())}
	if s.subnet6.IsValid() {
		if err := linkIPv6(s.bridge); err != nil {
			return err
		}
		// By the second one guests know the router.
		reqs = append(reqs, link.AddAddress(l.Index, s.gateway6Prefix()), link.AddAddress(l.Index, linkLocal(outsideMAC(s.gateway))))
	}
	have, err := c.Addresses(l.Index)
	if err != nil {
		return err
	}
	for _, p := range have {
		if p != s.gatewayPrefix() && p != s.gateway6Prefix() && !p.Addr().IsLinkLocalUnicast() && !isFront(p) {
			reqs = append(reqs, link.DeleteAddress(l.Index, p))
		}
	}
	if err := c.Do(reqs...); err != nil {
		return err
	}
	// Published ports are reached at 127.0.0.1 through the bridge.
	return setSysctl("net.ipv4.conf."+s.bridge+".route_localnet", "1")
}

func (s *segment) gatewayPrefix() netip.Prefix { return netip.PrefixFrom(s.gateway, s.subnet.Bits()) }

// owns says whether an address is one of the network's.
func (s *segment) owns(a netip.Addr) bool {
	return s.subnet.Contains(a) || s.subnet6.IsValid() && s.subnet6.Contains(a)
}

func (s *segment) gateway6Prefix() netip.Prefix {
	return netip.PrefixFrom(s.gateway6, s.subnet6.Bits())
}

// subnets are those there are.
func (s *segment) subnets() []netip.Prefix {
	if !s.subnet6.IsValid() {
		return []netip.Prefix{s.subnet}
	}
	return []netip.Prefix{s.subnet, s.subnet6}
}

// gateways are the node's addresses on the network, each with its subnet's
// length.
func (s *segment) gateways() []netip.Prefix {
	if !s.subnet6.IsValid() {
		return []netip.Prefix{s.gatewayPrefix()}
	}
	return []netip.Prefix{s.gatewayPrefix(), s.gateway6Prefix()}
}

func (s *segment) rules() nft.Network {
	return nft.Network{Bridge: s.bridge, Subnets: s.subnets(),
		Internal: s.spec.Internal, Isolated: s.spec.Isolated, Fronts: s.fronts, Metadata: s.door}
}

// isBridge says whether a name is one that bridgeName gives.
func isBridge(prefix, name string) bool {
	return name == prefix+"0" || strings.HasPrefix(name, prefix+"-") && len(name) == len(prefix)+9
}
