package service

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// maxDuration bounds every wait.
const maxDuration = time.Hour

// Complete fills defaults that are stored, so that they do not change with
// virga's version.
func Complete(s *api.ServiceSpec) {
	if s.Network == "" {
		s.Network = api.NetworkDefault
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.Protocol == "" {
			p.Protocol = api.ProtocolTCP
		}
		if p.Target == 0 {
			p.Target = p.Port
		}
		if p.Name == "" {
			p.Name = p.Protocol
		}
	}
	if s.Balance.Affinity == api.AffinityCookie && s.Balance.Cookie == "" {
		s.Balance.Cookie = "virga-backend"
	}
}

// Validate checks a completed specification.
func Validate(s *api.ServiceSpec) error {
	for _, check := range []func(*api.ServiceSpec) error{
		validateSelector, validatePorts, validateRoutes, validateCheck, validateBalance, validateProxies, validateTLS,
	} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func validateSelector(s *api.ServiceSpec) error {
	if len(s.Selector.Labels) == 0 && s.Selector.Group == "" && !onlyElsewhere(s) {
		return api.Invalid("spec.selector", "a service without a selector has no instances").
			WithHint("choose them by label (--select app=web) or by group (--group web)")
	}
	if err := api.ValidateName("spec.network", s.Network); err != nil {
		return err
	}
	if s.Network == api.NetworkNone || s.Network == api.NetworkHost {
		return api.Invalid("spec.network", "network %q has no addresses of its own", s.Network).WithHint("name a network of instances")
	}
	if s.Selector.Group != "" {
		return api.ValidateName("spec.selector.group", s.Selector.Group)
	}
	return nil
}

// onlyElsewhere says that every request goes to another service, as with one
// that is only a front for others.
func onlyElsewhere(s *api.ServiceSpec) bool {
	for _, r := range s.Routes {
		if r.Service == "" {
			return false
		}
	}
	for _, p := range s.Ports {
		if !p.HTTP() {
			return false
		}
	}
	return len(s.Routes) > 0
}

func validatePorts(s *api.ServiceSpec) error {
	if len(s.Ports) == 0 {
		return api.Invalid("spec.ports", "a service has at least one port").WithHint("such as --port 80:8080")
	}
	type key struct {
		port uint16
		udp  bool
	}
	seen, published := map[key]bool{}, map[key]bool{}
	for i, p := range s.Ports {
		field := fmt.Sprintf("spec.ports[%d]", i)
		switch p.Protocol {
		case api.ProtocolTCP, api.ProtocolUDP, api.ProtocolHTTP, api.ProtocolHTTPS:
		default:
			return api.Invalid(field+".protocol", "unknown protocol %q", p.Protocol).WithHint("tcp, udp, http or https")
		}
		if p.Port == 0 {
			return api.Invalid(field+".port", "port 0 is no port").WithHint("ports are 1 to 65535")
		}
		if err := api.ValidateName(field+".name", p.Name); err != nil {
			return err
		}
		k := key{p.Port, p.Protocol == api.ProtocolUDP}
		if seen[k] {
			return api.Invalid(field+".port", "port %d is given twice", p.Port)
		}
		seen[k] = true
		if k.port = p.Publish; p.Publish != 0 && published[k] {
			return api.Invalid(field+".publish", "port %d of the node is given twice", p.Publish)
		}
		published[k] = true
	}
	return nil
}

func validateRoutes(s *api.ServiceSpec) error {
	for i, r := range s.Routes {
		field := fmt.Sprintf("spec.routes[%d]", i)
		if r.Host != "" && !validHost(r.Host) {
			return api.Invalid(field+".host", "host %q is not a host name", r.Host).WithHint("such as example.org or *.example.org")
		}
		if r.Path != "" && (r.Path[0] != '/' || strings.ContainsAny(r.Path, " ?#\r\n\x00")) {
			return api.Invalid(field+".path", "path %q is not the beginning of a path", r.Path).WithHint("such as /api")
		}
		if r.Strip && r.Path == "" {
			return api.Invalid(field+".strip", "there is no path to take away")
		}
		if r.Service != "" {
			if err := api.ValidateName(field+".service", r.Service); err != nil {
				return err
			}
		}
	}
	for _, p := range s.Ports {
		if p.HTTP() || len(s.Routes) == 0 {
			return nil
		}
	}
	return api.Invalid("spec.routes", "routes need a port that speaks http").WithHint("--http makes the ports http")
}

func validHost(h string) bool {
	h = strings.TrimPrefix(strings.ToLower(h), "*.")
	for label := range strings.SplitSeq(h, ".") {
		if api.ValidateName("", label) != nil {
			return false
		}
	}
	return len(h) <= 253
}

func validateCheck(s *api.ServiceSpec) error {
	c := s.Check
	if c == nil {
		return nil
	}
	switch c.Type {
	case api.CheckHTTP:
		if c.Path != "" && (c.Path[0] != '/' || strings.ContainsAny(c.Path, " \r\n\x00")) {
			return api.Invalid("spec.check.path", "path %q is not a path", c.Path).WithHint("such as /health")
		}
	case api.CheckExec:
		if len(c.Command) == 0 {
			return api.Invalid("spec.check.command", "an exec check needs a command")
		}
	case api.CheckTCP, api.CheckNone:
	default:
		return api.Invalid("spec.check.type", "unknown check %q", c.Type).WithHint("http, tcp, exec or none")
	}
	if c.Type == api.CheckHTTP || c.Type == api.CheckTCP {
		if _, ok := CheckedPort(s); !ok {
			return api.Invalid("spec.check.type", "no port of the service can be asked by %s", c.Type).WithHint("use an exec check for udp")
		}
	}
	return durations("spec.check.", bound{"interval", c.Interval, time.Millisecond * 10}, bound{"timeout", c.Timeout, time.Millisecond})
}

// CheckedPort is the port of an instance that checks ask: that of the first
// port which is not UDP.
func CheckedPort(s *api.ServiceSpec) (uint16, bool) {
	for _, p := range s.Ports {
		if p.Protocol != api.ProtocolUDP {
			return p.Target, true
		}
	}
	return 0, false
}

func validateBalance(s *api.ServiceSpec) error {
	b := s.Balance
	switch b.Affinity {
	case "", api.AffinitySource, api.AffinityCookie:
	default:
		return api.Invalid("spec.balance.affinity", "unknown affinity %q", b.Affinity).WithHint("source or cookie")
	}
	if strings.ContainsFunc(b.Cookie, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) || len(b.Cookie) > 64 {
		return api.Invalid("spec.balance.cookie", "%q is not the name of a cookie", b.Cookie)
	}
	http := false
	for _, p := range s.Ports {
		http = http || p.HTTP()
	}
	if b.Affinity == api.AffinityCookie && !http {
		return api.Invalid("spec.balance.affinity", "only HTTP has cookies").WithHint("use the affinity source")
	}
	if b.Drain != nil && (*b.Drain < 0 || *b.Drain > api.Duration(maxDuration)) {
		return api.Invalid("spec.balance.drain", "drain %s is not between 0s and %s", b.Drain, maxDuration)
	}
	return durations("spec.balance.", bound{"slowStart", b.SlowStart, 0}, bound{"hold", b.Hold, 0}, bound{"timeout", b.Timeout, time.Millisecond})
}

// bound is a duration with the least it may be when it is given.
type bound struct {
	name  string
	d     api.Duration
	least time.Duration
}

func durations(prefix string, list ...bound) error {
	for _, b := range list {
		if d := time.Duration(b.d); d < 0 || d > maxDuration || d > 0 && d < b.least {
			return api.Invalid(prefix+b.name, "%s %s is not between %s and %s", b.name, d, b.least, maxDuration)
		}
	}
	return nil
}

// validateProxies wants subnets of one family, written as such.
func validateProxies(s *api.ServiceSpec) error {
	for i, p := range s.TrustedProxies {
		field := fmt.Sprintf("spec.trustedProxies[%d]", i)
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			return api.Invalid(field, "%s is not a subnet", p).WithHint("such as 192.0.2.0/24 or 2001:db8::1/128")
		}
	}
	if len(s.TrustedProxies) > 0 && !slices.ContainsFunc(s.Ports, api.ServicePort.HTTP) {
		return api.Invalid("spec.trustedProxies", "only HTTP says who asked before a proxy").WithHint("--http makes the ports http")
	}
	return nil
}

// validateACME checks that a public authority could make the certificates.
func validateACME(s *api.ServiceSpec) error {
	field := "spec.tls.acme"
	switch names := PublicNames(s); {
	case s.TLS.Certificate != "":
		return api.Invalid(field, "a certificate is given already").WithHint("leave either --acme or --cert and --key out")
	case len(names) == 0:
		return api.Invalid(field, "no public name is given that a certificate could be for").WithHint("say --host shop.example.org or --tls-name shop.example.org; a public authority wants full names, and makes none for *")
	}
	return nil
}

// PublicNames are the names of a service that a public authority can make
// certificates for: full ones, in lower case.
func PublicNames(s *api.ServiceSpec) (names []string) {
	add := func(n string) {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		if strings.Contains(n, ".") && !strings.HasPrefix(n, "*") && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, r := range Routes(s) {
		add(r.Host)
	}
	if s.TLS != nil {
		for _, n := range s.TLS.Names {
			add(n)
		}
	}
	return names
}

func validateTLS(s *api.ServiceSpec) error {
	t := s.TLS
	if t == nil {
		return nil
	}
	if (t.Certificate == "") != (t.Key == "") {
		return api.Invalid("spec.tls", "a certificate and its key belong together").WithHint("give both --cert and --key")
	}
	secure := slices.ContainsFunc(s.Ports, func(p api.ServicePort) bool { return p.Protocol == api.ProtocolHTTPS })
	if field := "spec.tls.certificate"; !secure && (t.ACME || t.Certificate != "") {
		if t.ACME {
			field = "spec.tls.acme"
		}
		return api.Invalid(field, "the service has no https port").WithHint("make one of its ports https: --tls, or --port 443:8080/https")
	}
	if t.ACME {
		if err := validateACME(s); err != nil {
			return err
		}
	}
	if t.Certificate != "" {
		if _, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key)); err != nil {
			return api.Invalid("spec.tls.certificate", "the certificate cannot be used: %v", err).WithHint("both are PEM")
		}
	}
	for i, n := range t.Names {
		if !validHost(n) {
			return api.Invalid(fmt.Sprintf("spec.tls.names[%d]", i), "%q is not a host name", n)
		}
	}
	return nil
}
