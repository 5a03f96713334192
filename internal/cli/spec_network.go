package cli

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// networkFlags describe names, networks and published ports.
type networkFlags struct {
	hostname string
	networks []string
	ip, ip6  string
	mac      string
	aliases  []string
	ports    []string
	expose   []string
	all      bool
	dns      []string
	search   []string
	dnsOpts  []string
	hosts    []string
}

func (n *networkFlags) register(f *pflag.FlagSet) {
	f.StringVarP(&n.hostname, "hostname", "h", "", "host `name` inside the instance")
	listVar(f, &n.networks, "network", "", "attach to a `network`: a name, none, host, container:INSTANCE for that one's, or name=NAME[,ip=…][,ip6=…][,mac-address=…][,alias=…]")
	listVar(f, &n.networks, "net", "", "attach to a network")
	_ = f.MarkHidden("net")
	f.StringVar(&n.ip, "ip", "", "static IPv4 `address` on the first network")
	f.StringVar(&n.ip6, "ip6", "", "static IPv6 `address` on the first network")
	f.StringVar(&n.mac, "mac-address", "", "hardware `address` on the first network")
	listVar(f, &n.aliases, "network-alias", "", "further `name` on the first network")
	listVar(f, &n.ports, "publish", "p", "publish a `port`: [[ADDRESS:]HOST:]PORT[/udp], or ranges")
	f.BoolVarP(&n.all, "publish-all", "P", false, "publish all ports that the image exposes on free ports of the node")
	listVar(f, &n.expose, "expose", "", "a `port` for -P that the image does not expose: PORT[/udp], or a range")
	listVar(f, &n.dns, "dns", "", "name server's `address`")
	listVar(f, &n.search, "dns-search", "", "`domain` to search for names")
	listVar(f, &n.dnsOpts, "dns-option", "", "`option` of the resolver, such as ndots:2")
	listVar(f, &n.dnsOpts, "dns-opt", "", "option of the resolver")
	_ = f.MarkHidden("dns-opt")
	listVar(f, &n.hosts, "add-host", "", "add a line to /etc/hosts (`NAME:ADDRESS`)")
}

func (n *networkFlags) apply(s *api.InstanceSpec) error {
	s.Hostname, s.DNS, s.DNSSearch, s.DNSOptions = n.hostname, n.dns, n.search, n.dnsOpts
	for _, text := range n.networks {
		if of := namespaceOf(text); strings.HasPrefix(of, api.NamespaceOf) {
			s.Namespaces.Network = of
			continue
		}
		at, err := parseNetwork(text)
		if err != nil {
			return err
		}
		s.Networks = append(s.Networks, at)
	}
	if n.ip != "" || n.ip6 != "" || n.mac != "" || len(n.aliases) > 0 {
		if len(s.Networks) == 0 {
			s.Networks = []api.Attachment{{Network: api.NetworkDefault}}
		}
		first := &s.Networks[0]
		first.Aliases = append(first.Aliases, n.aliases...)
		if n.mac != "" {
			first.MAC = n.mac
		}
		if n.ip != "" {
			ip, err := parseIPv4("spec.networks", n.ip)
			if err != nil {
				return err
			}
			first.Address = ip
		}
		if n.ip6 != "" {
			ip, err := parseIPv6("spec.networks", n.ip6)
			if err != nil {
				return err
			}
			first.Address6 = ip
		}
	}
	for _, text := range n.ports {
		ports, err := parsePorts(text)
		if err != nil {
			return err
		}
		s.Ports = append(s.Ports, ports...)
	}
	if err := n.publishAll(&api.InstanceSpec{}, nil); err != nil { // what --expose says is right even without -P
		return err
	}
	for _, text := range n.hosts {
		line, err := parseHost(text)
		if err != nil {
			return err
		}
		s.ExtraHosts = append(s.ExtraHosts, line)
	}
	return nil
}

// publishAll adds the ports that an image exposes, and those of --expose, to
// those published, unless they are already.
func (n *networkFlags) publishAll(s *api.InstanceSpec, exposed []string) error {
	for _, text := range append(slices.Clone(exposed), n.expose...) {
		ports, err := parsePorts(text)
		if err != nil {
			return err
		}
		for _, p := range ports {
			if p.HostPort != 0 {
				return api.Invalid("expose", "--expose %s: want a port of the instance alone", text).WithHint("-p publishes on a given port")
			}
			if !slices.ContainsFunc(s.Ports, func(q api.Port) bool { return q.Port == p.Port && q.Protocol == p.Protocol }) {
				s.Ports = append(s.Ports, p)
			}
		}
	}
	return nil
}
