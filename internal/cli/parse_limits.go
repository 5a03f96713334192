package cli

import (
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// parseUlimit reads NAME=SOFT[:HARD]; -1 and "unlimited" are no limit.
func parseUlimit(s string) (api.Ulimit, error) {
	bad := api.Invalid("spec.resources.ulimits", "ulimit %q: want NAME=SOFT[:HARD], such as nofile=1024:4096", s)
	name, limits, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return api.Ulimit{}, bad
	}
	softText, hardText, two := strings.Cut(limits, ":")
	if !two {
		hardText = softText
	}
	soft, okSoft := parseLimit(softText)
	hard, okHard := parseLimit(hardText)
	if !okSoft || !okHard {
		return api.Ulimit{}, bad
	}
	if hard >= 0 && (soft < 0 || soft > hard) {
		return api.Ulimit{}, api.Invalid("spec.resources.ulimits", "ulimit %q: the soft limit is above the hard one", s)
	}
	return api.Ulimit{Name: strings.ToLower(name), Soft: soft, Hard: hard}, nil
}

func parseLimit(s string) (int64, bool) {
	if s == "unlimited" {
		return -1, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= -1
}

// parseRestart reads no, always, unless-stopped or on-failure[:N].
func parseRestart(s string) (api.RestartPolicy, error) {
	policy, n, counted := strings.Cut(s, ":")
	p := api.RestartPolicy{Policy: policy}
	switch policy {
	case "", api.RestartNo, api.RestartAlways, api.RestartUnlessStopped:
		if !counted {
			return p, nil
		}
	case api.RestartOnFailure:
		if !counted {
			return p, nil
		}
		retries, err := strconv.ParseUint(n, 10, 31)
		p.MaxRetries = int(retries)
		if err == nil {
			return p, nil
		}
	}
	return api.RestartPolicy{}, api.Invalid("spec.restart", "restart policy %q is not known", s).
		WithHint("use no, always, unless-stopped or on-failure[:RETRIES]")
}

// parseSwap reads --memory-swap, where -1 is unlimited.
func parseSwap(s string) (int64, error) {
	if s == "-1" {
		return -1, nil
	}
	return api.ParseSize("spec.resources.memorySwap", s)
}

// parseRate reads Docker's PATH:RATE. The path is not used: virga limits the
// device that holds the instance's files.
func parseRate(field, s string, bytes bool) (int64, error) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		s = s[i+1:]
	}
	if bytes {
		return api.ParseSize(field, s)
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, api.Invalid(field, "rate %q: want a number of operations per second", s)
	}
	return int64(n), nil
}

// parseNetworkRate reads RATE for both ways, or in=RATE, out=RATE or both.
func parseNetworkRate(s string) (r api.NetworkRate, err error) {
	const at = "spec.resources.networkRate"
	if s == "" {
		return r, nil
	}
	if !strings.Contains(s, "=") {
		r.IngressBPS, err = parseBits(at, s)
		r.EgressBPS = r.IngressBPS
		return r, err
	}
	for part := range strings.SplitSeq(s, ",") {
		way, text, _ := strings.Cut(part, "=")
		to := map[string]*int64{"in": &r.IngressBPS, "out": &r.EgressBPS}[way]
		if to == nil {
			return r, api.Invalid(at, "network rate %q: want RATE, or in=RATE,out=RATE", s)
		}
		if *to, err = parseBits(at, text); err != nil {
			return r, err
		}
	}
	return r, nil
}

// parseBits reads bits per second: a number with k, m or g, which are powers of
// ten here as network equipment has them, and an optional "bit".
func parseBits(field, s string) (int64, error) {
	number := strings.TrimSuffix(strings.ToLower(s), "bit")
	unit := 1.0
	if n := len(number); n > 0 {
		if u, ok := map[byte]float64{'k': 1e3, 'm': 1e6, 'g': 1e9}[number[n-1]]; ok {
			number, unit = number[:n-1], u
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	n *= unit
	if err != nil || !(n == 0 || n >= 1 && n <= 1e15) { // less than a bit would be no limit
		return 0, api.Invalid(field, "network rate %q: want bits per second, such as 10m or 1.5gbit", s)
	}
	return int64(n), nil
}

// parseDevice reads PATH[:TARGET[:ACCESS]].
func parseDevice(s string) (api.Device, error) {
	bad := func() (api.Device, error) {
		return api.Device{}, api.Invalid("spec.security.devices", "device %q: want PATH[:TARGET[:rwm]]", s)
	}
	part := strings.Split(s, ":")
	if len(part) > 3 || !strings.HasPrefix(part[0], "/") {
		return bad()
	}
	d := api.Device{Path: part[0]}
	rest := part[1:]
	if len(rest) == 1 && isAccess(rest[0]) {
		d.Access = rest[0]
		return d, nil
	}
	if len(rest) > 0 {
		if !strings.HasPrefix(rest[0], "/") {
			return bad()
		}
		d.Target = rest[0]
	}
	if len(rest) > 1 {
		if !isAccess(rest[1]) {
			return bad()
		}
		d.Access = rest[1]
	}
	return d, nil
}

func isAccess(s string) bool { return s != "" && strings.Trim(s, "rwm") == "" }
