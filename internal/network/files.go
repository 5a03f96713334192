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
		return f.nodeResolv()
	}
	return fmt.Appendf(nil, "nameserver %s\nsearch %s\n", s.gateway, strings.Join(search, " "))
}

// projectDomain ends the full names of a project's instances.
func (f *Fabric) projectDomain(name string) string {
	return project(name) + "." + f.config.Domain
}
