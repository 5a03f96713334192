package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
)

// Limits are what a group may use.
type Limits struct {
	api.Resources
	// Disk is the device "major:minor" that BlockIO limits.
	Disk string
	// Devices may be used beside DefaultDevices; AllDevices lifts every
	// restriction.
	Devices    []Device
	AllDevices bool
}

// Documented defaults of api.Resources.
const (
	defaultShares = 1024
	defaultPids   = 4096
	period        = 100_000 // µs in which a quota is spent
)

// setting is one control file to be written.
type setting struct {
	dir, file, value string
	// what is the limit's name for a warning when the file does not exist;
	// "" makes that no matter.
	what string
}

// Set writes the limits of an existing group; live, so far as the kernel can:
// the warnings name what it cannot keep.
func (g *Group) Set(l Limits) (warnings []string, err error) {
	settings, err := g.settings(l)
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		err := write(s.dir, s.file, s.value)
		switch {
		case err == nil:
		case s.dir == "", errors.Is(err, os.ErrNotExist), errors.Is(err, unix.EOPNOTSUPP):
			if s.what != "" {
				warnings = append(warnings, fmt.Sprintf("%s is not limited: this kernel has no %s", s.what, s.file))
			}
		default:
			return warnings, refused(s, err)
		}
	}
	return warnings, nil
}

// refused turns a value that the kernel does not take into the user's error.
func refused(s setting, err error) error {
	field := map[string]string{
		"CPU set": "spec.resources.cpuSet", "memory": "spec.resources.memory", "swap": "spec.resources.memorySwap",
		"CPU quota": "spec.resources.cpus", "pids": "spec.resources.pidsLimit",
	}[s.what]
	switch {
	case field != "" && errors.Is(err, unix.EBUSY):
		return api.Invalid(field, "%s %s: the instance uses more now", s.what, s.value).WithHint("ask for more, or free some first")
	case field != "" && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EACCES)):
		return api.Invalid(field, "%s %q is not possible on this node", s.what, s.value)
	}
	return err
}

// settings are in the order they have to be written in.
func (g *Group) settings(l Limits) ([]setting, error) {
	var all []setting
	for _, part := range []func(Limits) []setting{g.cpu, g.memory, g.pids} {
		all = append(all, part(l)...)
	}
	io, err := g.io(l)
	return append(all, io...), err
}

func (g *Group) cpu(l Limits) []setting {
	shares := l.CPUShares
	if shares == 0 {
		shares = defaultShares
	}
	quota := int64(l.CPUs * period)
	var s []setting
	if d := g.v1("cpu"); d != "" {
		if shares != defaultShares {
			s = append(s, setting{d, "cpu.shares", fmt.Sprint(shares), "CPU shares"})
		}
		if quota > 0 {
			s = append(s, setting{d, "cpu.cfs_quota_us", fmt.Sprint(quota), "CPU quota"})
		}
	} else if d := g.unified(); d != "" {
		max := "max"
		if quota > 0 {
			max = fmt.Sprint(quota)
		}
		s = append(s, setting{d, "cpu.weight", fmt.Sprint(weight(shares)), ""},
			setting{d, "cpu.max", fmt.Sprintf("%s %d", max, period), "CPU quota"})
	}
	if l.CPUSet == "" {
		return s
	}
	if d := g.v1("cpuset"); d != "" {
		return append(s, setting{d, "cpuset.cpus", l.CPUSet, "CPU set"})
	}
	return append(s, setting{g.unified(), "cpuset.cpus", l.CPUSet, "CPU set"})
}

// weight maps CPU shares (2 to 262144, default 1024) to a weight of version 2
// (1 to 10000, default 100) so that the ends and the defaults meet.
func weight(shares int64) int64 {
	shares = min(max(shares, 2), 262144)
	x := math.Log2(float64(shares))
	return min(max(int64(math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34))), 1), 10000)
}
