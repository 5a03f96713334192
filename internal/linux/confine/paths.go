package confine

import "os"

// What is hidden and what is read-only in an instance by default: Docker's
// lists.
var (
	masked = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
	}
	protected = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// DefaultPaths returns the paths to be masked and protected that this kernel
// has; it is the same in every instance.
func DefaultPaths() (mask []Path, protect []string) {
	for _, p := range masked {
		if st, err := os.Lstat(p); err == nil {
			mask = append(mask, Path{p, st.IsDir()})
		}
	}
	for _, p := range protected {
		if _, err := os.Lstat(p); err == nil {
			protect = append(protect, p)
		}
	}
	return mask, protect
}
