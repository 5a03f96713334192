package api

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that reads and writes as text ("1m30s").
type Duration time.Duration

func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, such as 500ms, 30s or 1h", b)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// byteUnits are powers of 1024, as Docker reads them.
var byteUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10,
	"m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20,
	"g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30,
	"t": 1 << 40, "tb": 1 << 40, "tib": 1 << 40,
}

// ParseBytes reads a size such as 512m, 1.5GiB or 4096 into bytes. Units are
// powers of 1024, and what they leave of a byte is dropped. Negative, overflowing
// and fractional sizes without a unit are refused.
func ParseBytes(s string) (int64, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	i := strings.IndexFunc(t, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		i = len(t)
	}
	n, err := strconv.ParseFloat(t[:i], 64)
	unit, ok := byteUnits[strings.TrimSpace(t[i:])]
	if err != nil || !ok {
		return 0, fmt.Errorf("size %q: want a number with a unit, such as 512m or 2g", s)
	}
	v := n * unit
	switch {
	case v >= math.MaxInt64:
		return 0, fmt.Errorf("size %q: too large", s)
	case unit == 1 && v != math.Trunc(v), v > 0 && v < 1: // else 0.5 would be none at all
		return 0, fmt.Errorf("size %q: a part of a byte: want a number with a unit, such as 512m or 2g", s)
	}
	return int64(v), nil
}

// ParseSize reads a size as ParseBytes does; none given is 0. field names its
// place in the request, for the error.
func ParseSize(field, s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := ParseBytes(s)
	if err != nil {
		return 0, Invalid(field, "%s", err)
	}
	return n, nil
}

// FormatBytes writes n with the largest binary unit that keeps it above one.
func FormatBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	return fmt.Sprintf("%.4g %ciB", v, units[i])
}
