package config

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"
)

// Config is the daemon's configuration. Default makes one, Load and the flags
// change it, Complete fills what derives from the rest and checks it all.
type Config struct {
	DataDir string            // what outlives a reboot: store, images, volumes, instances
	RunDir  string            // what does not: sockets, namespaces; "" derives
	Socket  string            // of the API; "" is virga.sock in RunDir
	Group   string            // that may use the socket beside root
	Listen  netip.AddrPort    // of the API over TLS, for bearers of tokens; invalid is none
	Node    string            // name of this node; "" is the host's name when the data directory was made
	Labels  map[string]string // of this node, that placements speak of; none but those every node has

	TLSCert  string   // certificate of Listen, PEM; "" is one of virga's own authority
	TLSKey   string   // its key
	TLSNames []string // further names in a certificate of virga's own authority

	ACMEDirectory string // URL of the public authority that makes certificates of services
	ACMEEmail     string // where it writes to; may be ""
	ACMERoot      string // file with the certificate, PEM, that its directory is trusted by; "" is the system's

	LogLevel  slog.Level
	LogFormat string // "text" or "json"

	Prefix      string       // of the names of bridges, at most 6 characters; "" derives
	Table       string       // nftables table; "" derives
	Subnet      netip.Prefix // of the default network; invalid lets the daemon choose
	FirstSubnet netip.Prefix // subnet where that choice begins; derived
	Warm        int          // sandboxes kept ready
	DNS         []netip.Addr // upstream name servers; none is the host's own
	Cgroup      string       // parent of the instances' cgroups; "" derives
	LogSize     int64        // bytes at which an instance's log is rotated
	LogKeep     int          // rotated logs kept of an instance

	TypesFile      string         // instance types of the operator's; "" is none
	ReserveCPUs    float64        // vCPUs kept for the system
	ReserveMemory  int64          // bytes kept for the system; 0 derives from what the machine has
	Overcommit     float64        // vCPUs given out for each one in the shared pool
	DiskOvercommit float64        // bytes of disk promised for each one there is
	PromptQuotas   string         // "on" ends small quotas within the kernel's tick, "off" leaves them to it
	SpotNotice     time.Duration  // from the notice of a spot interruption to its deadline
	SpotPrice      time.Duration  // least time between two spot prices
	MetricsListen  netip.AddrPort // loopback address of /metrics; invalid is none

	Webhook       string   // address that events are sent to; "" is none
	WebhookSecret string   // file with the secret that signs them; "" does not
	WebhookEvents []string // kinds, or kinds with an action, that are sent; none is all
}

// DefaultDataDir is the data directory of a daemon that is alone on its machine.
const DefaultDataDir = "/var/lib/virga"

// Default is the configuration without a file and flags.
func Default() Config {
	return Config{
		DataDir:   DefaultDataDir,
		Group:     "virga",
		LogLevel:  slog.LevelInfo,
		LogFormat: "text",
		Warm:      8,

		ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory",

		LogSize: 16 << 20,
		LogKeep: 3,

		ReserveCPUs: 0.5,
		Overcommit:  10,

		PromptQuotas: "on",

		DiskOvercommit: 1,
		SpotNotice:     2 * time.Minute,
		SpotPrice:      time.Minute,
	}
}

// Complete derives what was not set and checks the whole. An error names the
// setting and what to do.
func (c *Config) Complete() error {
	if !filepath.IsAbs(c.DataDir) {
		return invalid("data-dir", "%q is not an absolute path", c.DataDir)
	}
	c.DataDir = filepath.Clean(c.DataDir)
	suffix, hash := "", sha256.Sum256([]byte(c.DataDir))
	if c.DataDir != DefaultDataDir {
		suffix = fmt.Sprintf("-%x", hash[:4])
	}
	setDefault(&c.RunDir, "/run/virga"+suffix)
	setDefault(&c.Socket, filepath.Join(c.RunDir, "virga.sock"))
	setDefault(&c.Table, "virga"+suffix)
	setDefault(&c.Cgroup, "virga"+suffix)
	if c.Prefix == "" {
		c.Prefix = "virga"
		if suffix != "" {
			c.Prefix = fmt.Sprintf("v%x", hash[:3])[:maxPrefix]
		}
	}
	c.FirstSubnet = netip.MustParsePrefix("10.88.0.0/16")
	if suffix != "" {
		c.FirstSubnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 128 + hash[4]%64, hash[5] &^ 15, 0}), 20)
	}
	return c.check()
}

// maxPrefix leaves room for what follows it in the name of a link.
const maxPrefix = 6

// maxSocket is the longest path that fits a socket's address.
const maxSocket = 107

func (c *Config) check() error {
	for _, p := range []struct{ name, path string }{{"run-dir", c.RunDir}, {"socket", c.Socket}} {
		if !filepath.IsAbs(p.path) {
			return invalid(p.name, "%q is not an absolute path", p.path)
		}
	}
	if len(c.Socket) > maxSocket {
		return invalid("socket", "%q has more than %d characters, which a unix socket cannot have: choose a shorter path", c.Socket, maxSocket)
	}
	if len(c.Prefix) > maxPrefix {
		return invalid("link-prefix", "%q has more than %d characters", c.Prefix, maxPrefix)
	}
	if c.Subnet.IsValid() {
		if !c.Subnet.Addr().Is4() || c.Subnet.Bits() > 28 || c.Subnet.Bits() < 8 {
			return invalid("subnet", "%s: want an IPv4 subnet from /8 to /28, such as 10.88.0.0/16", c.Subnet)
		}
		c.Subnet = c.Subnet.Masked()
	}
	return c.checkTLS()
}

// checkTLS sees to it that nothing about TLS is set in vain.
func (c *Config) checkTLS() error {
	for _, s := range []struct {
		name string
		set  bool
	}{{"tls-cert", c.TLSCert != ""}, {"tls-key", c.TLSKey != ""}, {"tls-names", c.TLSNames != nil}} {
		if s.set && !c.Listen.IsValid() {
			return invalid(s.name, "it is of no use without listen: say where to listen, such as 0.0.0.0:7443")
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return invalid("tls-key", "a certificate and its key go together: set both tls-cert and tls-key, or neither for a certificate of virga's own")
	}
	if c.TLSCert != "" && c.TLSNames != nil {
		return invalid("tls-names", "the certificate that is given has its own names: leave tls-names or tls-cert out")
	}
	return nil
}

func setDefault(s *string, v string) {
	if *s == "" {
		*s = v
	}
}
