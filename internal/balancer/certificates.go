package balancer

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/ca"
	"github.com/virga-cloud/virga/internal/control/service"
)

// certificates are those of the services behind one door, in their order.
type certificates struct {
	authority *ca.Authority
	public    Public
	list      []credential
}

// credential is one service's certificate: a given one, or one of the node's
// own authority for its names.
type credential struct {
	names []string // a client may ask for; "*.example.org" too
	addrs []netip.Addr
	given *tls.Certificate
	// public are the names for which a public authority has a certificate made.
	public []string
}

// Public has certificates of a public authority.
type Public interface {
	// Want makes the names that are to have one those given.
	Want(names []string)
	// Certificate is the one for a name, nil as long as there is none.
	Certificate(name string) *tls.Certificate
	// Validates says whether a client is the authority that looks whether a name
	// is ours, and what it is to be shown.
	Validates(*tls.ClientHelloInfo) (*tls.Certificate, bool, error)
	// Challenge is what the authority is to be answered to a request.
	Challenge(host, path string) (string, bool)
	// Problems are what keeps names from having a certificate.
	Problems(names []string) []string
}

// publicNames are those for which a service has certificates of a public
// authority.
func publicNames(s *api.Service) (names []string) {
	if s.Spec.TLS == nil || !s.Spec.TLS.ACME {
		return nil
	}
	return service.PublicNames(&s.Spec)
}

// wantPublic makes the public authority's certificates those that services
// want.
func (c *Controller) wantPublic(services []*api.Service) {
	var names []string
	for _, s := range services {
		names = append(names, publicNames(s)...)
	}
	c.Public.Want(names)
}

// certificates are those of services; one that cannot be read is left out, as
// it was refused when it was given.
func (c *Controller) certificates(services []*api.Service) *certificates {
	out := &certificates{authority: c.Authority, public: c.Public}
	for _, s := range services {
		cr := credential{
			names: []string{s.Name, s.Name + "." + s.Project + "." + c.Domain, "localhost"},
			addrs: []netip.Addr{s.Address, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
		}
		if a := c.Address6(s); a.IsValid() {
			cr.addrs = append(cr.addrs, a)
		}
		for _, r := range service.Routes(&s.Spec) {
			if r.Host != "" {
				cr.names = append(cr.names, strings.ToLower(r.Host))
			}
		}
		if t := s.Spec.TLS; t != nil {
			cr.names = append(cr.names, t.Names...)
			cr.public = publicNames(s)
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
			return cr.certificate(name, c.authority, c.public)
		}
	}
	if len(c.list) == 0 {
		return nil, api.Errorf(api.CodeNotFound, "no service has a certificate for %q", name)
	}
	return c.list[0].certificate(name, c.authority, c.public)
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

// certificate is the one for a name. Where a public authority's is not there
// yet, virga's own has to do.
func (cr *credential) certificate(name string, a *ca.Authority, public Public) (*tls.Certificate, error) {
	if slices.Contains(cr.public, name) {
		if c := public.Certificate(name); c != nil {
			return c, nil
		}
	}
	if cr.given != nil {
		return cr.given, nil
	}
	return a.Certificate(time.Now(), cr.names, cr.addrs)
}
