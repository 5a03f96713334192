package network

import (
	"log/slog"
	"net/netip"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/link"
)

// Config describes the networks' place on the node. Names and subnets differ
// between daemons that share a machine.
type Config struct {
	// Prefix begins the names of bridges: the default network's is Prefix + "0".
	// Default "virga"; at most 6 characters.
	Prefix string
	// Table is the name of the nftables table; default Prefix.
	Table string
	// Subnet is the default network's; default the first free /16 from
	// 10.90.0.0 up.
	Subnet netip.Prefix
	// Networks are those to begin with; the default one may be among them, and
	// its subnet is then Subnet. Set changes them later.
	Networks []api.Network
	// Pool holds the subnets of networks that name none, a /20 each; default
	// 172.30.0.0/15.
	Pool netip.Prefix
	// Ready is the number of sandboxes kept ready; default 16, negative none.
	Ready int
	// Domain ends the full names of instances; default "virga.internal".
	Domain string
	// ResolvConf is the file that names the node's name servers; default
	// /etc/resolv.conf.
	ResolvConf string
	// Former is the file that keeps what settings of the node were before they
	// were changed, for RestoreSettings; "" keeps none.
	Former string
	// Adopting says that Adopted and SetFronts will be called when the node
	// knows what it has. Queries for names wait until then.
	Adopting bool
	// MTU of the default network in bytes; default 1500.
	MTU int
	Log *slog.Logger

	ipv6 bool // the kernel has it
}

const (
	defaultPrefix = "virga"
	defaultReady  = 16
	defaultMTU    = 1500
	defaultDomain = "virga.internal"
)

// withDefaults fills what is zero, with conn to see which subnets are taken.
func (c Config) withDefaults(conn *link.Conn) (Config, error) {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Table == "" {
		c.Table = c.Prefix
	}
	if c.Ready == 0 {
		c.Ready = defaultReady
	}
	if c.Domain == "" {
		c.Domain = defaultDomain
	}
	if c.ResolvConf == "" {
		c.ResolvConf = "/etc/resolv.conf"
	}
	if c.MTU == 0 {
		c.MTU = defaultMTU
	}
	if !c.Pool.IsValid() {
		c.Pool = netip.MustParsePrefix("172.30.0.0/15")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.ipv6 = hasIPv6()
	if c.Subnet.IsValid() {
		return c, nil
	}
	var err error
	c.Subnet, err = defaultSubnet(conn, c.Prefix, netip.MustParsePrefix("10.90.0.0/16"))
	return c, err
}

// DefaultSubnet is the subnet of the default network whose bridge's name begins
// with prefix: the one the bridge has, else first, or where a route of the node
// overlaps that, the next of its size within 10.0.0.0/8 that is free.
func DefaultSubnet(prefix string, first netip.Prefix) (netip.Prefix, error) {
	conn, err := link.Open(nil)
	if err != nil {
		return netip.Prefix{}, err
	}
	defer conn.Close()
	return defaultSubnet(conn, prefix, first)
}

func defaultSubnet(conn *link.Conn, prefix string, first netip.Prefix) (netip.Prefix, error) {
	if l, err := conn.ByName(bridgeName(prefix, api.NetworkDefault)); err == nil {
		have, err := conn.Addresses(l.Index)
		if err != nil {
			return netip.Prefix{}, err
		}
		for _, p := range have {
			if p.Addr().Is4() {
				return p.Masked(), nil
			}
		}
	}
	routes, err := conn.Routes()
	if err != nil {
		return netip.Prefix{}, err
	}
	return freeSubnet(netip.MustParsePrefix("10.0.0.0/8"), first.Bits(), first.Addr(), routes)
}
