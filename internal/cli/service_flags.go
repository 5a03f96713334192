package cli

import (
	"net/netip"
	"os"
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// serviceFlags are the flags of create and update.
type serviceFlags struct {
	selects, ports, publish      []string
	trusted                      []string
	hosts, paths, names          []string
	group, network, address      string
	check, affinity, cookie      string
	cert, key, maxBody           string
	http, tls, accessLog, acme   bool
	interval, checkTimeout       time.Duration
	slowStart, drain, hold, head time.Duration
	rise, fall, retries          int
}

func (f *serviceFlags) register(s *pflag.FlagSet) {
	s.StringArrayVar(&f.selects, "select", nil, "choose instances by a label (`KEY=VALUE`)")
	s.StringVar(&f.group, "group", "", "choose the instances of a `group`")
	s.StringArrayVar(&f.ports, "port", nil, "a `[NAME=]PORT[:TARGET][/PROTOCOL]`: TARGET is the instances' port, PROTOCOL tcp, udp, http or https")
	s.BoolVar(&f.http, "http", false, "ports without a protocol are http")
	s.BoolVar(&f.tls, "tls", false, "ports without a protocol are https")
	s.StringArrayVar(&f.publish, "publish", nil, "a port of the node, as `NODEPORT[:PORT]`; PORT may be left out when the service has one port; none to end that")
	s.StringArrayVar(&f.hosts, "host", nil, "answer only requests for this `host` (or *.example.org); none to end that")
	s.StringArrayVar(&f.paths, "path", nil, "send a path to another service, as `/PATH[=SERVICE][,strip]`; strip takes the path away; none to end that")
	s.StringVar(&f.check, "check", "", "ask instances whether they are well: `http:/PATH`, tcp, exec:COMMAND or none")
	s.DurationVar(&f.interval, "check-interval", 0, "`time` between checks (default 2s)")
	s.DurationVar(&f.checkTimeout, "check-timeout", 0, "longest `time` of a check (default 2s)")
	s.IntVar(&f.rise, "rise", 0, "good checks in a row that bring an instance up (default 1)")
	s.IntVar(&f.fall, "fall", 0, "failed checks in a row that take it down (default 3)")
	s.StringVar(&f.affinity, "affinity", "", "keep a client at one instance, by `source` address or by cookie; none to end that")
	s.StringVar(&f.cookie, "cookie", "", "`name` of the cookie (default virga-backend)")
	s.DurationVar(&f.slowStart, "slow-start", 0, "`time` in which a new instance's share grows to its whole")
	s.DurationVar(&f.drain, "drain", 0, "longest `time` that a stop waits for requests to end (default 10s)")
	s.DurationVar(&f.hold, "hold", 0, "`time` that a request waits for a first instance")
	s.DurationVar(&f.head, "timeout", 0, "longest `time` until an answer begins (default 1m)")
	s.IntVar(&f.retries, "retries", 0, "times that a request which may be repeated is tried elsewhere (default 2)")
	s.StringVar(&f.maxBody, "max-body", "", "most `bytes` of a request's body")
	s.StringArrayVar(&f.trusted, "trusted-proxies", nil, "`CIDR` of proxies in front of the service, whose X-Forwarded fields count; none to end that")
	s.StringVar(&f.cert, "cert", "", "`file` with the certificate of https ports, or none (default one of virga's own CA)")
	s.StringVar(&f.key, "key", "", "`file` with its key")
	s.StringArrayVar(&f.names, "tls-name", nil, "a further `name` in a certificate of virga's own CA or by --acme")
	s.BoolVar(&f.acme, "acme", false, "have certificates made by a public authority (Let's Encrypt) for --host and --tls-name; this agrees to its terms")
	s.BoolVar(&f.accessLog, "access-log", false, "write a line for each HTTP request to a file on the node")
}

// apply changes what flags name.
func (f *serviceFlags) apply(s *api.ServiceSpec, changed func(string) bool) error {
	for _, set := range []func(*api.ServiceSpec, func(string) bool) error{f.selection, f.portsOf, f.routes, f.checks, f.balance, f.certificate} {
		if err := set(s, changed); err != nil {
			return err
		}
	}
	if changed("trusted-proxies") {
		var err error
		if s.TrustedProxies, err = parsePrefixes("trusted-proxies", f.trusted); err != nil {
			return err
		}
	}
	if changed("access-log") {
		s.AccessLog = f.accessLog
	}
	return nil
}

func (f *serviceFlags) selection(s *api.ServiceSpec, changed func(string) bool) error {
	var err error
	if changed("select") {
		if s.Selector.Labels, err = readLabels(f.selects, nil); err != nil {
			return err
		}
	}
	if changed("group") {
		s.Selector.Group = f.group
	}
	if f.network != "" {
		s.Network = f.network
	}
	if f.address != "" {
		if s.Address, err = netip.ParseAddr(f.address); err != nil {
			return api.Invalid("address", "--address %q is not an address", f.address)
		}
	}
	return nil
}

func (f *serviceFlags) balance(s *api.ServiceSpec, changed func(string) bool) error {
	b := &s.Balance
	if changed("affinity") {
		if b.Affinity = f.affinity; b.Affinity == "none" {
			b.Affinity = ""
		}
	}
	if changed("cookie") {
		b.Cookie = f.cookie
	}
	for _, d := range []struct {
		flag string
		from time.Duration
		to   *api.Duration
	}{{"slow-start", f.slowStart, &b.SlowStart}, {"hold", f.hold, &b.Hold}, {"timeout", f.head, &b.Timeout}} {
		if changed(d.flag) {
			*d.to = api.Duration(d.from)
		}
	}
	if changed("drain") {
		d := api.Duration(f.drain)
		b.Drain = &d
	}
	if changed("retries") {
		b.Retries = &f.retries
	}
	var err error
	if changed("max-body") {
		s.MaxBody, err = api.ParseSize("max-body", f.maxBody)
	}
	return err
}

func (f *serviceFlags) certificate(s *api.ServiceSpec, changed func(string) bool) error {
	if !changed("cert") && !changed("key") && !changed("tls-name") && !changed("acme") {
		return nil
	}
	if s.TLS == nil {
		s.TLS = &api.ServiceTLS{}
	}
	switch {
	case changed("acme"):
		s.TLS.ACME = f.acme
	case changed("cert"):
		s.TLS.ACME = false
	}
	if changed("tls-name") {
		s.TLS.Names = f.names
	}
	for _, file := range []struct {
		flag, path string
		to         *string
	}{{"cert", f.cert, &s.TLS.Certificate}, {"key", f.key, &s.TLS.Key}} {
		if !changed(file.flag) {
			continue
		}
		if f.cert == "none" {
			s.TLS.Certificate, s.TLS.Key = "", ""
			break
		}
		b, err := os.ReadFile(file.path)
		if err != nil {
			return fileError(file.flag, file.path, err)
		}
		*file.to = string(b)
	}
	return nil
}
