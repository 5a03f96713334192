package cgroup

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Layout says where the machine's hierarchies are mounted.
type Layout struct {
	// Unified is the mount point of version 2, "" without one.
	Unified string
	// V1 are the mount points of version 1 by controller.
	V1 map[string]string
	// V2 are the controllers that version 2 has.
	V2 []string
}

// Mode is "v1", "v2" or "hybrid".
func (l Layout) Mode() string {
	switch {
	case l.Unified == "":
		return "v1"
	case len(l.V1) == 0:
		return "v2"
	}
	return "hybrid"
}

// Has reports whether the machine has the controller, in either version.
func (l Layout) Has(controller string) bool {
	return l.V1[controller] != "" || slices.Contains(l.V2, controller)
}

// Discover reads the layout from the process's mounts.
func Discover() (Layout, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Layout{}, err
	}
	l := parseMounts(string(b))
	if l.Unified == "" && len(l.V1) == 0 {
		return l, fmt.Errorf("no cgroup file system is mounted")
	}
	if l.Unified == "" {
		return l, nil
	}
	s, err := read(l.Unified, "cgroup.controllers")
	l.V2 = strings.Fields(s)
	return l, err
}

// known are the controllers this package uses.
var known = []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio"}

// parseMounts reads lines of mountinfo; of two mounts of one hierarchy the
// first counts.
func parseMounts(s string) Layout {
	l := Layout{V1: map[string]string{}}
	for line := range strings.Lines(s) {
		left, right, ok := strings.Cut(line, " - ")
		fields, tail := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 5 || len(tail) < 3 {
			continue
		}
		point := unescape(fields[4])
		switch tail[0] {
		case "cgroup2":
			if l.Unified == "" {
				l.Unified = point
			}
		case "cgroup":
			for _, o := range strings.Split(tail[2], ",") {
				if slices.Contains(known, o) && l.V1[o] == "" {
					l.V1[o] = point
				}
			}
		}
	}
	return l
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
