package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

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
)

// setting is one control file to be written.
type setting struct {
	dir, file, value string
	// initial is the value of a new group.
	initial string
	// what is the limit's name for a warning when the file does not exist;
	// "" makes that no matter.
	what string
}

// Update changes the limits of an existing group, its devices excepted. The
// warnings name what this kernel cannot keep.
func (g *Group) Update(l Limits) (warnings []string, err error) {
	var entered []string
	for _, d := range g.wanted(l) {
		if _, err := os.Stat(d); err == nil {
			continue
		}
		if err := mkdir(d); err != nil {
			return nil, err
		}
		entered = append(entered, d)
	}
	if g.v1("cpuset") != "" && slices.Contains(entered, g.v1("cpuset")) {
		if err := inheritCPUSet(g.v1("cpuset")); err != nil {
			return nil, err
		}
	}
	if warnings, err = g.set(l, false); err != nil {
		return warnings, err
	}
	if l.CPUSet == "" {
		if err := g.SetCPUs(""); err != nil {
			return warnings, err
		}
	}
	return warnings, g.move(entered)
}

// move brings the group's processes into directories of it that are new.
func (g *Group) move(dirs []string) error {
	if len(dirs) == 0 {
		return nil
	}
	pids, err := g.Pids()
	for _, d := range dirs {
		for _, pid := range pids {
			werr := write(d, "cgroup.procs", strconv.Itoa(pid))
			if werr != nil && !errors.Is(werr, unix.ESRCH) {
				err = errors.Join(err, werr)
			}
		}
	}
	return err
}

// set writes the limits; of a new group only those that differ from what the
// kernel begins with.
func (g *Group) set(l Limits, isNew bool) (warnings []string, err error) {
	settings, err := g.settings(l)
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		if isNew && s.value == s.initial {
			continue
		}
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
	var s []setting
	set := g.unified()
	if d := g.v1("cpu"); d != "" {
		s = append(s, setting{d, "cpu.shares", fmt.Sprint(shares), "1024", "CPU shares"})
		set = g.v1("cpuset")
	} else {
		s = append(s, setting{set, "cpu.weight", fmt.Sprint(weight(shares)), "100", ""})
	}
	s = append(s, g.quotaSettings(l.CPUs)...)
	if l.CPUSet == "" {
		return s
	}
	return append(s, setting{set, "cpuset.cpus", l.CPUSet, "", "CPU set"})
}

// weight maps CPU shares (2 to 262144, default 1024) to a weight of version 2
// (1 to 10000, default 100) so that the ends and the defaults meet.
func weight(shares int64) int64 {
	shares = min(max(shares, 2), 262144)
	x := math.Log2(float64(shares))
	return min(max(int64(math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34))), 1), 10000)
}
