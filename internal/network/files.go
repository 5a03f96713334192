package network

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// hostsFile is /etc/hosts: loopback, the instance itself and what it asked for.
func hostsFile(r Request, addrs []api.AddressOn) []byte {
	host := r.Hostname
	if host == "" {
		host = r.Name
	}
	var b bytes.Buffer
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	b.WriteString("fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	if len(addrs) == 0 && host != "" {
		fmt.Fprintf(&b, "127.0.1.1\t%s\n", host)
	}
	for _, h := range r.ExtraHosts {
		if name, addr, ok := strings.Cut(h, ":"); ok {
			fmt.Fprintf(&b, "%s\t%s\n", extraAddress(addr, addrs), name)
		}
	}
	for _, a := range addrs {
		fmt.Fprintf(&b, "%s\t%s\n", a.Address, host)
		if a.Address6.IsValid() {
			fmt.Fprintf(&b, "%s\t%s\n", a.Address6, host)
		}
	}
	return b.Bytes()
}

// hostGateway is Docker's word for the node as instances reach it.
const hostGateway = "host-gateway"

func extraAddress(addr string, addrs []api.AddressOn) string {
	if addr != hostGateway {
		return strings.Trim(addr, "[]")
	}
	for _, a := range addrs {
		if a.Gateway.IsValid() {
			return a.Gateway.String()
		}
	}
	return "127.0.0.1"
}

// resolvConf is /etc/resolv.conf: the name server of the instance's network.
func (f *Fabric) resolvConf(r Request, s *segment) []byte {
	search := r.DNSSearch
	if len(search) == 0 {
		search = []string{f.projectDomain(r.Project)}
	}
	if !s.resolves.Load() {
		return f.hostResolv(r)
	}
	out := fmt.Appendf(nil, "nameserver %s\nsearch %s\n", s.gateway, strings.Join(search, " "))
	if len(r.DNSOptions) > 0 {
		out = fmt.Appendf(out, "options %s\n", strings.Join(r.DNSOptions, " "))
	}
	return out
}

// hostResolv is the node's resolv.conf with what an instance asked for instead.
func (f *Fabric) hostResolv(r Request) []byte { return replaceResolv(f.nodeResolv(), r) }

// replaceResolv puts the name servers, domains and options that r names in the
// place of those that a resolv.conf has.
func replaceResolv(conf []byte, r Request) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(conf) {
		word, _, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		switch {
		case word == "nameserver" && len(r.DNS) > 0, (word == "search" || word == "domain") && len(r.DNSSearch) > 0,
			word == "options" && len(r.DNSOptions) > 0:
		default:
			b.Write(line)
		}
	}
	if n := b.Len(); n > 0 && b.Bytes()[n-1] != '\n' {
		b.WriteByte('\n')
	}
	for _, s := range r.DNS {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(r.DNSSearch) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.DNSSearch, " "))
	}
	if len(r.DNSOptions) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.DNSOptions, " "))
	}
	return b.Bytes()
}

// projectDomain ends the full names of a project's instances.
func (f *Fabric) projectDomain(name string) string {
	return project(name) + "." + f.config.Domain
}
