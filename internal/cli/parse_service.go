package cli

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// portsOf reads --port, --http, --tls and --publish.
func (f *serviceFlags) portsOf(s *api.ServiceSpec, changed func(string) bool) error {
	if changed("port") {
		before := s.Ports
		s.Ports = nil
		for _, text := range f.ports {
			p, err := parseServicePort(text)
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(before, func(o api.ServicePort) bool {
				return o.Port == p.Port && (o.Protocol == api.ProtocolUDP) == (p.Protocol == api.ProtocolUDP)
			}); i >= 0 {
				p.Publish = before[i].Publish
			}
			s.Ports = append(s.Ports, p)
		}
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		switch {
		case p.Protocol != "" && changed("port"), p.Protocol == api.ProtocolUDP:
		case f.tls:
			speak(p, api.ProtocolHTTPS)
		case f.http:
			speak(p, api.ProtocolHTTP)
		}
	}
	if !changed("publish") {
		return nil
	}
	for i := range s.Ports {
		s.Ports[i].Publish = 0
	}
	for _, text := range unlessNone(f.publish) {
		if err := publishService(s, text); err != nil {
			return err
		}
	}
	return nil
}

// unlessNone are the values of a flag that may be given as none.
func unlessNone(values []string) []string {
	if len(values) == 1 && values[0] == "none" {
		return nil
	}
	return values
}

// speak gives a port another protocol, and with it the name that says so when
// it has no name of its own.
func speak(p *api.ServicePort, protocol string) {
	if p.Name == p.Protocol {
		p.Name = ""
	}
	p.Protocol = protocol
}

// parseServicePort reads [NAME=]PORT[:TARGET][/PROTOCOL].
func parseServicePort(text string) (p api.ServicePort, err error) {
	rest := text
	if name, after, ok := strings.Cut(rest, "="); ok {
		p.Name, rest = name, after
	}
	rest, p.Protocol, _ = strings.Cut(rest, "/")
	port, target, mapped := strings.Cut(rest, ":")
	if p.Port, err = parseServiceNumber("port", text, port); err != nil {
		return p, err
	}
	if mapped {
		p.Target, err = parseServiceNumber("port", text, target)
	}
	return p, err
}

func parseServiceNumber(flag, text, number string) (uint16, error) {
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return 0, api.Invalid(flag, "--%s %q: %q is not a port from 1 to 65535", flag, text, number).
			WithHint("such as --port 80:8080/http and --publish 8080:80")
	}
	return uint16(n), nil
}

// publishService reads NODEPORT[:PORT].
func publishService(s *api.ServiceSpec, text string) error {
	node, port, named := strings.Cut(text, ":")
	n, err := parseServiceNumber("publish", text, node)
	if err != nil {
		return err
	}
	if !named {
		if len(s.Ports) != 1 {
			return api.Invalid("publish", "--publish %q: the service has %d ports", text, len(s.Ports)).WithHint("name the one meant: --publish %s:PORT", text)
		}
		s.Ports[0].Publish = n
		return nil
	}
	want, err := parseServiceNumber("publish", text, port)
	if err != nil {
		return err
	}
	for i := range s.Ports {
		if s.Ports[i].Port == want && s.Ports[i].Publish == 0 {
			s.Ports[i].Publish = n
			return nil
		}
	}
	return api.Invalid("publish", "--publish %q: the service has no port %d", text, want)
}

// routes reads --host and --path: each path holds for each host. What one of
// both does not name stays.
func (f *serviceFlags) routes(s *api.ServiceSpec, changed func(string) bool) error {
	if !changed("host") && !changed("path") {
		return nil
	}
	hosts, paths := unlessNone(f.hosts), unlessNone(f.paths)
	for _, r := range s.Routes {
		if !changed("host") && r.Host != "" && !slices.Contains(hosts, r.Host) {
			hosts = append(hosts, r.Host)
		}
		if text := pathText(r); !changed("path") && text != "" && !slices.Contains(paths, text) {
			paths = append(paths, text)
		}
	}
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	s.Routes = nil
	for _, host := range hosts {
		own := host != ""
		for _, text := range paths {
			spec, option, _ := strings.Cut(text, ",")
			path, service, _ := strings.Cut(spec, "=")
			if !strings.HasPrefix(path, "/") || option != "" && option != "strip" {
				return api.Invalid("path", "--path %q: want /PATH[=SERVICE][,strip]", text)
			}
			if service == "" {
				own = false // the service asks for a part of the paths only
			}
			s.Routes = append(s.Routes, api.ServiceRoute{Host: host, Path: path, Service: service, Strip: option == "strip"})
		}
		if own {
			s.Routes = append(s.Routes, api.ServiceRoute{Host: host})
		}
	}
	return nil
}

// pathText is a route's path as --path has it.
func pathText(r api.ServiceRoute) string {
	text := r.Path
	if r.Service != "" {
		text += "=" + r.Service
	}
	if r.Strip {
		text += ",strip"
	}
	return text
}

// checks reads --check and what belongs to it.
func (f *serviceFlags) checks(s *api.ServiceSpec, changed func(string) bool) error {
	if changed("check") {
		c, err := parseCheck(f.check)
		if err != nil {
			return err
		}
		if c != nil && s.Check != nil {
			c.Interval, c.Timeout, c.Rise, c.Fall = s.Check.Interval, s.Check.Timeout, s.Check.Rise, s.Check.Fall
		}
		s.Check = c
	}
	for _, flag := range []string{"check-interval", "check-timeout", "rise", "fall"} {
		if changed(flag) && s.Check == nil {
			return api.Invalid(flag, "--%s needs a check", flag).WithHint("such as --check http:/health")
		}
	}
	if changed("check-interval") {
		s.Check.Interval = api.Duration(f.interval)
	}
	if changed("check-timeout") {
		s.Check.Timeout = api.Duration(f.checkTimeout)
	}
	if changed("rise") {
		s.Check.Rise = f.rise
	}
	if changed("fall") {
		s.Check.Fall = f.fall
	}
	return nil
}

// parseCheck reads http:/PATH, tcp, exec:COMMAND or none; "" is the default,
// nil.
func parseCheck(text string) (*api.ServiceCheck, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "":
		return nil, nil
	case kind == api.CheckHTTP:
		return &api.ServiceCheck{Type: kind, Path: rest}, nil
	case kind == api.CheckExec && rest != "":
		return &api.ServiceCheck{Type: kind, Command: []string{"/bin/sh", "-c", rest}}, nil
	case text == api.CheckTCP, text == api.CheckNone:
		return &api.ServiceCheck{Type: kind}, nil
	}
	return nil, api.Invalid("check", "--check %q: want http:/PATH, tcp, exec:COMMAND or none", text)
}

// parsePrefixes reads subnets; an address alone is one of its own, and "none"
// takes all away.
func parsePrefixes(flag string, list []string) (out []netip.Prefix, err error) {
	for text := range strings.SplitSeq(strings.Join(list, ","), ",") {
		if text == "none" && len(list) == 1 {
			return nil, nil
		}
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, api.Invalid(flag, "--%s %q is not a subnet", flag, text).WithHint("such as 192.0.2.0/24, or one address")
		}
		out = append(out, p)
	}
	return out, nil
}
