package control

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/virga-cloud/virga/api"
)

func validateNames(s *api.InstanceSpec) error {
	if s.Hostname != "" && !validHostname(s.Hostname) {
		return api.Invalid("spec.hostname", "hostname %q is not a host name", s.Hostname).
			WithHint("labels of letters, digits and dashes, joined by dots; 64 characters at most")
	}
	for i, a := range s.DNS {
		if _, err := netip.ParseAddr(a); err != nil {
			return api.Invalid(fmt.Sprintf("spec.dns[%d]", i), "name server %q is not an address", a)
		}
	}
	for i, d := range s.DNSSearch {
		if d != "." && !validDomain(d) {
			return api.Invalid(fmt.Sprintf("spec.dnsSearch[%d]", i), "search domain %q is not a domain", d)
		}
	}
	for i, o := range s.DNSOptions {
		if o == "" || len(o) > 64 || strings.ContainsFunc(o, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return api.Invalid(fmt.Sprintf("spec.dnsOptions[%d]", i), "resolver option %q is not one word", o).WithHint("such as ndots:2; see resolv.conf(5)")
		}
	}
	for i, h := range s.ExtraHosts {
		name, addr, ok := strings.Cut(h, ":")
		_, err := netip.ParseAddr(strings.Trim(addr, "[]"))
		if !ok || !validDomain(name) || err != nil && addr != "host-gateway" {
			return api.Invalid(fmt.Sprintf("spec.extraHosts[%d]", i), "extra host %q is not NAME:ADDRESS", h)
		}
	}
	return nil
}

func validHostname(h string) bool { return len(h) <= 64 && validDomain(h) }

func validDomain(d string) bool {
	d = strings.TrimSuffix(d, ".")
	if d == "" || len(d) > 253 {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

func validateNetworks(s *api.InstanceSpec) error {
	seen := map[string]bool{}
	for i, n := range s.Networks {
		field := fmt.Sprintf("spec.networks[%d]", i)
		alone := n.Network == api.NetworkNone || n.Network == api.NetworkHost
		if err := api.ValidateName(field+".network", n.Network); err != nil {
			return err
		}
		if seen[n.Network] {
			return api.Invalid(field+".network", "network %q is attached twice", n.Network)
		}
		seen[n.Network] = true
		if alone && len(s.Networks) > 1 {
			return api.Invalid(field+".network", "network %q cannot be joined with others", n.Network)
		}
		if alone && (n.Address != "" || n.Address6 != "" || n.MAC != "" || len(n.Aliases) > 0) {
			return api.Invalid(field, "network %q has no address, MAC or aliases to choose", n.Network)
		}
		if alone && len(s.Ports) > 0 {
			return api.Invalid("spec.ports", "ports cannot be published with the network %q", n.Network)
		}
		if n.Address != "" {
			if a, err := netip.ParseAddr(n.Address); err != nil || !a.Is4() {
				return api.Invalid(field+".address", "%q is not an IPv4 address", n.Address)
			}
		}
		if n.Address6 != "" {
			if a, err := netip.ParseAddr(n.Address6); err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
				return api.Invalid(field+".address6", "%q is not an IPv6 address", n.Address6)
			}
		}
		if n.MAC != "" {
			if m, err := net.ParseMAC(n.MAC); err != nil || len(m) != 6 || m[0]&1 != 0 {
				return api.Invalid(field+".mac", "%q is not a unicast MAC address", n.MAC)
			}
		}
		for j, a := range n.Aliases {
			if !validDomain(a) {
				return api.Invalid(fmt.Sprintf("%s.aliases[%d]", field, j), "alias %q is not a host name", a)
			}
		}
	}
	return nil
}

func validatePorts(s *api.InstanceSpec) error {
	type key struct {
		ip    string
		port  uint16
		proto string
	}
	seen := map[key]bool{}
	for i, p := range s.Ports {
		field := fmt.Sprintf("spec.ports[%d]", i)
		if p.Port == 0 {
			return api.Invalid(field+".port", "port 0 cannot be published").WithHint("ports are 1 to 65535")
		}
		if p.Protocol != "" && p.Protocol != "tcp" && p.Protocol != "udp" {
			return api.Invalid(field+".protocol", "unknown protocol %q", p.Protocol).WithHint("tcp or udp")
		}
		if p.HostIP != "" {
			if _, err := netip.ParseAddr(p.HostIP); err != nil {
				return api.Invalid(field+".hostIP", "%q is not an address", p.HostIP)
			}
		}
		k := key{p.HostIP, p.HostPort, p.Protocol}
		if k.proto == "" {
			k.proto = "tcp"
		}
		if p.HostPort != 0 && seen[k] {
			return api.Invalid(field+".hostPort", "host port %d/%s is published twice", p.HostPort, k.proto)
		}
		seen[k] = true
	}
	return nil
}
