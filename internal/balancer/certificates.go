package balancer

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/control/service"
)

// certificates are those of the services behind one door, in their order.
type certificates struct {
	authority *ca.Authority
	list      []credential
}

// credential is one service's certificate: a given one, or one of the node's
// own authority for its names.
type credential struct {
	names []string // a client may ask for; "*.example.org" too
	addrs []netip.Addr
	given *tls.Certificate
}

// certificates are those of services; one that cannot be read is left out, as
// it was refused when it was given.
func (c *Controller) certificates(services []*api.Service) *certificates {
	out := &certificates{authority: c.Authority}
	for _, s := range services {
		cr := credential{
			names: []string{s.Name, s.Name + "." + s.Project + "." + c.Domain, "localhost"},
			addrs: []netip.Addr{s.Address, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
		}
		for _, r := range service.Routes(&s.Spec) {
			if r.Host != "" {
				cr.names = append(cr.names, strings.ToLower(r.Host))
			}
		}
		if t := s.Spec.TLS; t != nil {
			cr.names = append(cr.names, t.Names...)
			if t.Certificate != "" {
				pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key))
				if err != nil {
					c.Log.Error("a service's certificate cannot be used", "service", s.Name, "error", err)
					continue
				}
				cr.given = &pair
				cr.names = append(cr.names, pair.Leaf.DNSNames...)
			}
		}
		out.list = append(out.list, cr)
	}
	return out
}

// choose is the certificate for the name a client asks for: that of the
// service which has the name, else the first.
func (c *certificates) choose(name string) (*tls.Certificate, error) {
	name = strings.ToLower(name)
	for _, cr := range c.list {
		if cr.has(name) {
			return cr.certificate(c.authority)
		}
	}
	if len(c.list) == 0 {
		return nil, api.Errorf(api.CodeNotFound, "no service has a certificate for %q", name)
	}
	return c.list[0].certificate(c.authority)
}

// has says whether a client that asks for a name in lower case means it.
func (cr *credential) has(name string) bool {
	for _, n := range cr.names {
		if n == name || strings.HasPrefix(n, "*.") && under(name, n[2:]) {
			return true
		}
	}
	return false
}

// under says whether name is one label below domain.
func under(name, domain string) bool {
	_, rest, ok := strings.Cut(name, ".")
	return ok && rest == domain
}

func (cr *credential) certificate(a *ca.Authority) (*tls.Certificate, error) {
	if cr.given != nil {
		return cr.given, nil
	}
	return a.Certificate(time.Now(), cr.names, cr.addrs)
}
