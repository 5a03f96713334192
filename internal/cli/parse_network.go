package cli

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// parseNetwork reads --network: a name, or keys and values such as
// name=lan,ip=10.0.0.5,alias=db. Docker's names of the default network work.
func parseNetwork(s string) (api.Attachment, error) {
	const field = "spec.networks"
	if !strings.ContainsRune(s, '=') {
		return api.Attachment{Network: networkName(s)}, nil
	}
	var at api.Attachment
	for kv := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(kv, "=")
		switch strings.TrimSpace(key) {
		case "name":
			at.Network = networkName(value)
		case "ip":
			if _, err := parseIPv4(field, value); err != nil {
				return at, err
			}
			at.Address = value
		case "ip6":
			if _, err := parseIPv6(field, value); err != nil {
				return at, err
			}
			at.Address6 = value
		case "mac-address":
			at.MAC = value
		case "alias":
			at.Aliases = append(at.Aliases, value)
		default:
			return at, api.Invalid(field, "network %q: key %s is not known", s, strconv.Quote(key)).
				WithHint("use a name, or name=…[,ip=…][,ip6=…][,mac-address=…][,alias=…]")
		}
	}
	if at.Network == "" {
		return at, api.Invalid(field, "network %q has no name", s)
	}
	return at, nil
}

func networkName(s string) string {
	if s == "bridge" || s == "" {
		return api.NetworkDefault
	}
	return s
}

func parseIPv4(field, s string) (string, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return "", api.Invalid(field, "address %q is not an IPv4 address", s)
	}
	return s, nil
}

func parseIPv6(field, s string) (string, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() {
		return "", api.Invalid(field, "address %q is not an IPv6 address", s)
	}
	return s, nil
}

// parseHost reads NAME:ADDRESS or NAME=ADDRESS, as /etc/hosts will have it.
func parseHost(s string) (string, error) {
	i := strings.IndexAny(s, ":=")
	if i <= 0 {
		return "", api.Invalid("spec.extraHosts", "host %q: want NAME:ADDRESS", s)
	}
	name, addr := s[:i], strings.Trim(s[i+1:], "[]")
	if addr != "host-gateway" {
		if _, err := netip.ParseAddr(addr); err != nil {
			return "", api.Invalid("spec.extraHosts", "host %q: %q is not an IP address", s, addr)
		}
	}
	return name + ":" + addr, nil
}
