package cli

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// parsePorts reads Docker's -p: [[ip:]host:]port[/proto], where host and port
// may be ranges of the same length, and an empty host picks free ports.
func parsePorts(s string) ([]api.Port, error) {
	bad := func(why string) error {
		return api.Invalid("spec.ports", "port %q: %s", s, why).
			WithHint("ports are written [[ADDRESS:]HOST:]PORT[/tcp|udp], such as 8080:80 or 127.0.0.1:5353:53/udp")
	}
	rest, proto, _ := strings.Cut(s, "/")
	proto = strings.ToLower(proto)
	if proto == "" {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" {
		return nil, bad("the protocol is neither tcp nor udp")
	}
	ip, rest, err := cutAddress(rest)
	if err != nil {
		return nil, bad(err.Error())
	}
	host, inner, two := strings.Cut(rest, ":")
	if !two {
		host, inner = "", rest
	}
	from, to, ok := parsePortRange(inner)
	if !ok {
		return nil, bad("the instance's port is not a number from 1 to 65535, nor a range")
	}
	hostFrom, hostTo := 0, 0
	if host == "0" {
		host = "" // any free one, as without it
	}
	if host != "" {
		if hostFrom, hostTo, ok = parsePortRange(host); !ok {
			return nil, bad("the host's port is not a number from 1 to 65535, nor a range")
		}
		if hostTo-hostFrom != to-from {
			return nil, bad("the ranges differ in length")
		}
	}
	ports := make([]api.Port, 0, to-from+1)
	for p := from; p <= to; p++ {
		port := api.Port{HostIP: ip, Port: uint16(p), Protocol: proto}
		if host != "" {
			port.HostPort = uint16(hostFrom + p - from)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// cutAddress takes the host's address off the front: IPv6 stands in brackets.
func cutAddress(s string) (ip, rest string, err error) {
	switch {
	case strings.HasPrefix(s, "["):
		var ok bool
		if ip, rest, ok = strings.Cut(s[1:], "]:"); !ok {
			return "", "", errText("the address has no closing bracket and port")
		}
	case strings.Count(s, ":") == 2:
		ip, rest, _ = strings.Cut(s, ":")
		if ip == "" {
			return "", rest, nil
		}
	default:
		return "", s, nil
	}
	if _, err := netip.ParseAddr(ip); err != nil {
		return "", "", errText("the host's address is not an IP address")
	}
	return ip, rest, nil
}

// parsePortRange reads N or N-M.
func parsePortRange(s string) (from, to int, ok bool) {
	a, b, two := strings.Cut(s, "-")
	if !two {
		b = a
	}
	x, errX := strconv.ParseUint(a, 10, 16)
	y, errY := strconv.ParseUint(b, 10, 16)
	return int(x), int(y), errX == nil && errY == nil && x >= 1 && x <= y
}

// errText is a constant error.
type errText string

func (e errText) Error() string { return string(e) }
