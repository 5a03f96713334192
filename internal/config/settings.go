package config

import (
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Setting is one thing that can be configured.
type Setting struct {
	// Name is the flag's; in the file, a dash may also be a nesting: log-level
	// is level under log.
	Name    string
	Doc     string
	Default string // as documented
	set     func(*Config, string) error
}

// Settings are all there are, in the order they are documented.
func Settings() []Setting {
	return []Setting{
		{"data-dir", "Directory of all that outlives a reboot: store, images, volumes, instances", DefaultDataDir, text(func(c *Config) *string { return &c.DataDir })},
		{"run-dir", "Directory of sockets and namespaces, emptied by a reboot", "/run/virga", text(func(c *Config) *string { return &c.RunDir })},
		{"socket", "Unix socket of the API", "virga.sock in the run directory", text(func(c *Config) *string { return &c.Socket })},
		{"group", "Group that may use the socket beside root", "virga", text(func(c *Config) *string { return &c.Group })},
		{"listen", "Address and port at which the API is served over TLS to bearers of a token", "none", addrPort(func(c *Config) *netip.AddrPort { return &c.Listen })},
		{"tls-cert", "File with the certificate for listen, in PEM; read again when it changes", "one of virga's own CA", text(func(c *Config) *string { return &c.TLSCert })},
		{"tls-key", "File with the key of tls-cert", "none", text(func(c *Config) *string { return &c.TLSKey })},
		{"tls-names", "Further names in the certificate of virga's own CA, separated by commas", "the host's name, localhost and the address asked", names(func(c *Config) *[]string { return &c.TLSNames })},
		{"acme-directory", "URL of the authority that makes certificates for services with --acme", "Let's Encrypt", text(func(c *Config) *string { return &c.ACMEDirectory })},
		{"acme-email", "Address that the authority may write to", "none", text(func(c *Config) *string { return &c.ACMEEmail })},
		{"acme-root", "File with the certificate, in PEM, that the authority's directory is trusted by", "the system's", text(func(c *Config) *string { return &c.ACMERoot })},
		{"node", "Name of this node", "the host's name at the first start", name(func(c *Config) *string { return &c.Node })},
		{"node-labels", "Labels of this node, KEY=VALUE separated by commas, that placements speak of", "none", labels},
		{"log-level", "Least severe messages that are logged: debug, info, warn or error", "info", level},
		{"log-format", "Form of the messages: text or json", "text", choice(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
		{"link-prefix", "Beginning of the names of bridges, at most 6 characters", "virga", text(func(c *Config) *string { return &c.Prefix })},
		{"table", "nftables table of all rules", "virga", text(func(c *Config) *string { return &c.Table })},
		{"subnet", "IPv4 subnet of the default network", "10.88.0.0/16 or the next that is free", subnet},
		{"warm", "Network sandboxes kept ready for the next starts", "8", number(func(c *Config) *int { return &c.Warm }, 0, 1024)},
		{"dns", "Name servers to forward to, separated by commas", "the host's", addresses(func(c *Config) *[]netip.Addr { return &c.DNS })},
		{"cgroup-root", "Parent of the instances' cgroups", "virga", text(func(c *Config) *string { return &c.Cgroup })},
		{"instance-log-size", "Size at which an instance's log is rotated", "16MiB", size(func(c *Config) *int64 { return &c.LogSize }, 64<<10)},
		{"instance-log-files", "Rotated logs kept of each instance", "3", number(func(c *Config) *int { return &c.LogKeep }, 0, 100)},
		{"types-file", "YAML file of instance types to add to those built in", "none", text(func(c *Config) *string { return &c.TypesFile })},
		{"reserve-cpus", "vCPUs kept for the system and not given out", "0.5", decimal(func(c *Config) *float64 { return &c.ReserveCPUs }, 0, 1024)},
		{"reserve-memory", "Memory kept for the system and not given out", "256MiB and a 20th of the machine's", size(func(c *Config) *int64 { return &c.ReserveMemory }, 1<<20)},
		{"cpu-overcommit", "vCPUs given out for each one that no dedicated type has", "10", decimal(func(c *Config) *float64 { return &c.Overcommit }, 1, 1000)},
		{"disk-overcommit", "Bytes of disk promised to layers and volumes for each one the node has", "1", decimal(func(c *Config) *float64 { return &c.DiskOvercommit }, 1, 1000)},
		{"prompt-quotas", "Whether small CPU quotas end within the kernel's tick: on or off", "on", choice(func(c *Config) *string { return &c.PromptQuotas }, "on", "off")},
		{"spot-notice", "Time from the notice of a spot interruption to its deadline", "2m", duration(func(c *Config) *time.Duration { return &c.SpotNotice }, time.Second)},
		{"spot-price-interval", "Least time between two spot prices", "1m", duration(func(c *Config) *time.Duration { return &c.SpotPrice }, time.Second)},
		{"metrics-listen", "Loopback address that serves /metrics to Prometheus, beside the socket", "none", loopback(func(c *Config) *netip.AddrPort { return &c.MetricsListen })},
		{"webhook", "HTTP address that events are sent to", "none", address(func(c *Config) *string { return &c.Webhook })},
		{"webhook-secret", "File with the secret that signs what is sent there", "not signed", text(func(c *Config) *string { return &c.WebhookSecret })},
		{"webhook-events", "Events that are sent, by KIND or KIND.ACTION, separated by commas", "all", words(func(c *Config) *[]string { return &c.WebhookEvents })},
	}
}

// Flags adds every setting to set; those given on the command line are applied
// to a Config, in their order, by the function returned.
func Flags(set *flag.FlagSet) func(*Config) error {
	type given struct {
		Setting
		value string
	}
	var all []given
	for _, s := range Settings() {
		set.Func(s.Name, s.Doc+" (default "+s.Default+")", func(v string) error {
			all = append(all, given{s, v})
			return s.set(new(Config), v)
		})
	}
	return func(c *Config) error {
		for _, g := range all {
			if err := g.set(c, g.value); err != nil {
				return invalid(g.Name, "%v", err)
			}
		}
		return nil
	}
}

func invalid(setting, format string, args ...any) *api.Error {
	return api.Errorf(api.CodeInvalid, "%s: "+format, append([]any{setting}, args...)...).InField(setting)
}

type setter = func(*Config, string) error

func text(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		if v == "" {
			return fmt.Errorf("must not be empty: leave the setting out to get its default")
		}
		*field(c) = v
		return nil
	}
}

func name(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		*field(c) = v
		return api.ValidateName("name", v)
	}
}

// labels sets those of the node. A key that begins with "virga." is virga's own.
func labels(c *Config, v string) error {
	all := map[string]string{}
	for text := range strings.SplitSeq(v, ",") {
		l, err := api.ParseCondition(text)
		if err != nil || l.Not {
			return fmt.Errorf("%q: want KEY=VALUE, such as zone=a", text)
		}
		if strings.HasPrefix(l.Key, "virga.") {
			return fmt.Errorf("%q: keys that begin with virga. are set by virga", l.Key)
		}
		all[l.Key] = l.Value
	}
	c.Labels = all
	return nil
}

func choice(field func(*Config) *string, values ...string) setter {
	return func(c *Config, v string) error {
		for _, w := range values {
			if v == w {
				*field(c) = v
				return nil
			}
		}
		return fmt.Errorf("%q: want one of %s", v, strings.Join(values, ", "))
	}
}

func level(c *Config, v string) error {
	var l slog.Level
	if l.UnmarshalText([]byte(v)) != nil {
		return fmt.Errorf("%q: want debug, info, warn or error", v)
	}
	c.LogLevel = l
	return nil
}

func subnet(c *Config, v string) error {
	p, err := netip.ParsePrefix(v)
	if err != nil {
		return fmt.Errorf("%q: want a subnet such as 10.88.0.0/16", v)
	}
	c.Subnet = p
	return nil
}

func addresses(field func(*Config) *[]netip.Addr) setter {
	return func(c *Config, v string) error {
		var all []netip.Addr
		for s := range strings.SplitSeq(v, ",") {
			a, err := netip.ParseAddr(strings.TrimSpace(s))
			if err != nil {
				return fmt.Errorf("%q: want addresses separated by commas, such as 9.9.9.9,1.1.1.1", v)
			}
			all = append(all, a)
		}
		*field(c) = all
		return nil
	}
}

func number(field func(*Config) *int, low, high int) setter {
	return func(c *Config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q: want a number from %d to %d", v, low, high)
		}
		*field(c) = n
		return nil
	}
}

func size(field func(*Config) *int64, low int64) setter {
	return func(c *Config, v string) error {
		n, err := api.ParseBytes(v)
		if err != nil {
			return err
		}
		if n < low {
			return fmt.Errorf("%q: want at least %s", v, api.FormatBytes(low))
		}
		*field(c) = n
		return nil
	}
}

func decimal(field func(*Config) *float64, low, high float64) setter {
	return func(c *Config, v string) error {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || !(n >= low && n <= high) { // so written, NaN is refused
			return fmt.Errorf("%q: want a number from %v to %v", v, low, high)
		}
		*field(c) = n
		return nil
	}
}

func addrPort(field func(*Config) *netip.AddrPort) setter {
	return func(c *Config, v string) error {
		a, err := netip.ParseAddrPort(v)
		if err != nil {
			return fmt.Errorf("%q: want an address and a port, such as 0.0.0.0:7443 or [::]:7443", v)
		}
		*field(c) = a
		return nil
	}
}

// names are DNS names.
func names(field func(*Config) *[]string) setter {
	return func(c *Config, v string) error {
		var all []string
		for s := range strings.SplitSeq(v, ",") {
			s = strings.ToLower(strings.TrimSpace(s))
			for label := range strings.SplitSeq(s, ".") {
				if api.ValidateName("name", label) != nil {
					return fmt.Errorf("%q: want DNS names separated by commas, such as node1.example.org", v)
				}
			}
			all = append(all, s)
		}
		*field(c) = all
		return nil
	}
}

func duration(field func(*Config) *time.Duration, low time.Duration) setter {
	return func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < low || d > 24*time.Hour {
			return fmt.Errorf("%q: want a duration from %s to 24h, such as 2m", v, low)
		}
		*field(c) = d
		return nil
	}
}

func loopback(field func(*Config) *netip.AddrPort) setter {
	return func(c *Config, v string) error {
		a, err := netip.ParseAddrPort(v)
		if err != nil || !a.Addr().IsLoopback() {
			return fmt.Errorf("%q: want an address of this machine alone, such as 127.0.0.1:9320", v)
		}
		*field(c) = a
		return nil
	}
}

func address(field func(*Config) *string) setter {
	return func(c *Config, v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%q: want an address such as https://host/path", v)
		}
		*field(c) = v
		return nil
	}
}

func words(field func(*Config) *[]string) setter {
	return func(c *Config, v string) error {
		var list []string
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz-.") != "" {
				return fmt.Errorf("%q: want words such as group or instance.die, separated by commas", v)
			}
			list = append(list, w)
		}
		*field(c) = list
		return nil
	}
}
