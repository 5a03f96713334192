package confine

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// limit sets a resource limit.
func (c *compiler) limit(r Rlimit, soft uint64) {
	both := c.Words(launch.Int(soft), launch.Int(r.Hard))
	c.Syscall("set ulimit "+r.Name, unix.SYS_PRLIMIT64, launch.Int(0), launch.Int(r.Resource), both, launch.Int(0))
}

var rlimits = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// Highest is the hard limit of this process for a resource, or 0 when it cannot be read.
func Highest(resource int) uint64 {
	var own unix.Rlimit
	if err := unix.Getrlimit(resource, &own); err != nil {
		return 0
	}
	return own.Max
}

// ParseRlimit reads a limit by the name ulimit knows it by; -1 is unlimited.
func ParseRlimit(name string, soft, hard int64) (Rlimit, bool) {
	n, ok := rlimits[strings.ToLower(strings.TrimPrefix(name, "RLIMIT_"))]
	value := func(v int64) uint64 {
		if v < 0 {
			return unix.RLIM_INFINITY
		}
		return uint64(v)
	}
	return Rlimit{Resource: n, Name: name, Soft: value(soft), Hard: value(hard)}, ok
}
