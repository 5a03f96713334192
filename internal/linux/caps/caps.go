// Package caps names Linux capabilities and computes the set an instance gets.
package caps

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Set is a set of capabilities, bit n for capability number n.
type Set uint64

// names are in the order of their numbers.
var names = []string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// All is every capability this package knows.
const All Set = 1<<41 - 1

// Default is what Docker gives an instance that asks for nothing.
var Default = of("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
	"SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")

func of(caps ...string) (s Set) {
	for _, c := range caps {
		s |= 1 << slices.Index(names, c)
	}
	return s
}

// Parse reads a name with or without CAP_, in any case, or ALL.
func Parse(name string) (Set, error) {
	n := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
	if n == "ALL" {
		return All, nil
	}
	if i := slices.Index(names, n); i >= 0 {
		return 1 << i, nil
	}
	return 0, fmt.Errorf("unknown capability %q", name)
}

// Apply adds and drops capabilities as Docker does: ALL first, so that
// dropping ALL and adding one leaves that one.
func (s Set) Apply(add, drop []string) (Set, error) {
	both := func(list []string) (set Set, all bool, err error) {
		for _, n := range list {
			c, err := Parse(n)
			if err != nil {
				return 0, false, err
			}
			if c == All {
				all = true
				continue
			}
			set |= c
		}
		return set, all, nil
	}
	added, addAll, err := both(add)
	if err != nil {
		return 0, err
	}
	dropped, dropAll, err := both(drop)
	if err != nil {
		return 0, err
	}
	if addAll {
		s = All
	}
	if dropAll {
		s = 0
		if addAll {
			s = All
		}
	}
	return (s | added) &^ dropped, nil
}

// Names lists the set's capabilities, as CAP_….
func (s Set) Names() []string {
	var list []string
	for i, n := range names {
		if s&(1<<i) != 0 {
			list = append(list, "CAP_"+n)
		}
	}
	return list
}

// Has reports whether every capability of o is in s.
func (s Set) Has(o Set) bool { return s&o == o }

// Bounding reads the bounding set of this process: nothing it starts can have
// more.
func Bounding() (Set, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			return Set(n), err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no CapBnd")
}
