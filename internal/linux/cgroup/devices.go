package cgroup

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Device is a rule that allows the use of device nodes.
type Device struct {
	Type         byte   // 'c' or 'b'
	Major, Minor int64  // -1 is any
	Access       string // of r, w and m (make the node)
}

func (d Device) String() string {
	n := func(v int64) string {
		if v < 0 {
			return "*"
		}
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%c %s:%s %s", d.Type, n(d.Major), n(d.Minor), d.Access)
}

// DefaultDevices are what every group may use: making any node, and the nodes
// of a minimal /dev.
var DefaultDevices = []Device{
	{'c', -1, -1, "m"}, {'b', -1, -1, "m"},
	{'c', 1, 3, "rwm"}, {'c', 1, 5, "rwm"}, {'c', 1, 7, "rwm"}, {'c', 1, 8, "rwm"}, {'c', 1, 9, "rwm"},
	{'c', 5, 0, "rwm"}, {'c', 5, 1, "rwm"}, {'c', 5, 2, "rwm"}, {'c', 136, -1, "rwm"},
}

// sharedDevices reports whether a group with the limits l can be in the group
// that all default ones share.
func (l Limits) sharedDevices() bool { return !l.AllDevices && len(l.Devices) == 0 }

// setDevices restricts a new group.
func (g *Group) setDevices(l Limits) error {
	rules := append(DefaultDevices[:len(DefaultDevices):len(DefaultDevices)], l.Devices...)
	if d := g.v1("devices"); d != "" {
		if l.sharedDevices() || l.AllDevices {
			return nil
		}
		return allowOnly(d, rules)
	}
	if l.AllDevices {
		return nil
	}
	return g.root.bpf.restrict(g.unified(), rules)
}

// allowOnly replaces the rules of a group of version 1.
func allowOnly(dir string, rules []Device) error {
	if err := write(dir, "devices.deny", "a"); err != nil {
		return err
	}
	for _, r := range rules {
		if err := write(dir, "devices.allow", r.String()); err != nil {
			return err
		}
	}
	return nil
}

// DeviceOf is the rule for a device node's mode and device number.
func DeviceOf(mode uint32, dev uint64, access string) Device {
	d := Device{Type: 'c', Major: int64(unix.Major(dev)), Minor: int64(unix.Minor(dev)), Access: access}
	if mode&unix.S_IFMT == unix.S_IFBLK {
		d.Type = 'b'
	}
	return d
}
