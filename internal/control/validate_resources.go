package control

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// maxBytes bounds sizes, so that sums of them do not overflow.
const maxBytes = 1 << 60

func validateResources(s *api.InstanceSpec) error {
	return ValidateResources("spec.resources", &s.Resources)
}

// ValidateResources checks limits on their own; field is their path.
func ValidateResources(field string, r *api.Resources) error {
	if math.IsNaN(r.CPUs) || r.CPUs < 0 || r.CPUs > 0 && r.CPUs < 0.001 || r.CPUs > 8192 {
		return api.Invalid(field+".cpus", "cpus %v is not a number of vCPUs", r.CPUs).WithHint("0.001 to 8192, or 0 for no limit")
	}
	if r.CPUShares < 0 || r.CPUShares == 1 || r.CPUShares > 262144 {
		return api.Invalid(field+".cpuShares", "cpuShares %d is not between 2 and 262144", r.CPUShares)
	}
	if r.CPUSet != "" && !validCPUSet(r.CPUSet) {
		return api.Invalid(field+".cpuSet", "cpuSet %q is not a list of CPUs", r.CPUSet).WithHint("such as 0-1,3")
	}
	if err := validateMemory(field, r); err != nil {
		return err
	}
	if r.PidsLimit < -1 || r.PidsLimit > 1<<22 {
		return api.Invalid(field+".pidsLimit", "pidsLimit %d is not between 1 and %d", r.PidsLimit, 1<<22).WithHint("-1 is unlimited")
	}
	if r.Disk != 0 {
		if err := api.ValidateDiskSize(field+".disk", r.Disk); err != nil {
			return err
		}
	}
	if r.OOMScoreAdj < -1000 || r.OOMScoreAdj > 1000 {
		return api.Invalid(field+".oomScoreAdj", "oomScoreAdj %d is not between -1000 and 1000", r.OOMScoreAdj)
	}
	if err := validateBlockIO(field+".blockIO", r.BlockIO); err != nil {
		return err
	}
	if err := validateNetworkRate(field+".networkRate", r.NetworkRate); err != nil {
		return err
	}
	return validateUlimits(field+".ulimits", r.Ulimits)
}

// Network rates in bits per second: below the least, a single packet would
// take a second and a half.
const (
	minNetworkRate = 8_000
	maxNetworkRate = 1_000_000_000_000
)

func validateNetworkRate(field string, r api.NetworkRate) error {
	for _, l := range []struct {
		name string
		n    int64
	}{{"ingressBps", r.IngressBPS}, {"egressBps", r.EgressBPS}} {
		if l.n != 0 && (l.n < minNetworkRate || l.n > maxNetworkRate) {
			return api.Invalid(field+"."+l.name, "%s %d is not between %d and %d bits per second", l.name, l.n, minNetworkRate, int64(maxNetworkRate)).
				WithHint("such as 10m for ten million; 0 is no limit")
		}
	}
	return nil
}

func validateMemory(field string, r *api.Resources) error {
	switch {
	case r.Memory < 0 || r.Memory > 0 && r.Memory < MinMemory:
		return api.Invalid(field+".memory", "memory %s is less than %s", bytes(r.Memory), api.FormatBytes(MinMemory)).
			WithHint("at least 6m, or 0 for no limit")
	case r.Memory > maxBytes:
		return api.Invalid(field+".memory", "memory %s is more than any machine has", bytes(r.Memory))
	case r.MemoryReservation < 0 || r.MemoryReservation > maxBytes:
		return api.Invalid(field+".memoryReservation", "memoryReservation %d is out of range", r.MemoryReservation)
	case r.Memory > 0 && r.MemoryReservation > r.Memory:
		return api.Invalid(field+".memoryReservation", "memoryReservation %s is more than memory %s", bytes(r.MemoryReservation), bytes(r.Memory))
	case r.MemorySwap < -1 || r.MemorySwap > maxBytes:
		return api.Invalid(field+".memorySwap", "memorySwap %d is out of range", r.MemorySwap).WithHint("-1 is unlimited")
	case r.MemorySwap > 0 && r.Memory == 0:
		return api.Invalid(field+".memorySwap", "memorySwap needs a memory limit")
	case r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return api.Invalid(field+".memorySwap", "memorySwap %s is less than memory %s; it is the sum of both", bytes(r.MemorySwap), bytes(r.Memory))
	}
	return nil
}

func bytes(n int64) string {
	if n < 0 {
		return strconv.FormatInt(n, 10)
	}
	return api.FormatBytes(n)
}

func validateBlockIO(field string, b api.BlockIO) error {
	if b.Weight != 0 && (b.Weight < 10 || b.Weight > 1000) {
		return api.Invalid(field+".weight", "weight %d is not between 10 and 1000", b.Weight)
	}
	for _, l := range []struct {
		name string
		n    int64
	}{{"readBps", b.ReadBPS}, {"writeBps", b.WriteBPS}, {"readOps", b.ReadOPS}, {"writeOps", b.WriteOPS}} {
		if l.n < 0 || l.n > maxBytes {
			return api.Invalid(field+"."+l.name, "%s %d is out of range", l.name, l.n)
		}
	}
	return nil
}

var ulimits = []string{"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
	"rss", "rtprio", "rttime", "sigpending", "stack"}

func validateUlimits(field string, list []api.Ulimit) error {
	seen := map[string]bool{}
	for i, u := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(ulimits, u.Name) {
			return api.Invalid(at+".name", "unknown ulimit %q", u.Name).WithHint("one of %s", strings.Join(ulimits, ", "))
		}
		if seen[u.Name] {
			return api.Invalid(at+".name", "ulimit %s is given twice", u.Name)
		}
		seen[u.Name] = true
		if u.Soft < -1 || u.Hard < -1 {
			return api.Invalid(at, "ulimit %s is negative", u.Name).WithHint("-1 is unlimited")
		}
		if u.Hard != -1 && (u.Soft == -1 || u.Soft > u.Hard) {
			return api.Invalid(at+".soft", "ulimit %s: soft %d is above hard %d", u.Name, u.Soft, u.Hard)
		}
	}
	return nil
}

// validCPUSet reads lists such as 0-1,3.
func validCPUSet(s string) bool {
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.ParseUint(from, 10, 13)
		if err != nil {
			return false
		}
		if !isRange {
			continue
		}
		if b, err := strconv.ParseUint(to, 10, 13); err != nil || b < a {
			return false
		}
	}
	return true
}
