package host

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Tick is how often the kernel looks at what runs on a CPU, at least.
func Tick() (time.Duration, error) {
	// The coarse clocks advance by ticks.
	var r unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &r); err != nil {
		return 0, fmt.Errorf("resolution of the coarse clock: %w", err)
	}
	return time.Duration(r.Nano()), nil
}

// Prompt ties the calling goroutine to a thread that runs on one CPU and, when
// it wakes, before all that are not real-time. The thread ends with the
// goroutine.
func Prompt(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("run on CPU %d: %w", cpu, err)
	}
	// Ordinary timers may be 50 µs late.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timers without slack: %w", err)
	}
	realtime := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	if unix.SchedSetAttr(0, &realtime, 0) == nil {
		return nil
	}
	// Version 1's groups may have no real-time.
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20); err != nil {
		return fmt.Errorf("run before others: %w", err)
	}
	return nil
}
