package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// probe measures from inside an instance, where this program is /bin/bench:
// "stall" never pauses and notes for how long it did not run, "wakeup" sleeps
// for a millisecond at a time and notes by how much it overslept, "metadata"
// reads the metadata service.
func probe(kind, length string) error {
	d, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	if kind == "metadata" {
		took, err := reads(d)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(distributionOf(took))
	}
	runtime.LockOSThread()
	measure, ok := map[string]func(time.Duration) []time.Duration{"stall": stalls, "wakeup": wakeups}[kind]
	if !ok {
		return fmt.Errorf("there is no probe %q", kind)
	}
	return json.NewEncoder(os.Stdout).Encode(distributionOf(measure(d)))
}

// stallFrom is the shortest gap that counts as a stall; interrupts are shorter.
const stallFrom = 500 * time.Microsecond

// settled is after how long a probe that never pauses is held at its baseline:
// its credits are gone, and the daemon has seen that.
const settled = 6 * time.Second

func stalls(length time.Duration) []time.Duration {
	gaps := make([]time.Duration, 0, 1<<16)
	for before := time.Now(); time.Since(before) < settled; {
	}
	began := time.Now()
	for last := time.Duration(0); last < length && len(gaps) < cap(gaps); {
		now := time.Since(began)
		if now-last >= stallFrom {
			gaps = append(gaps, now-last)
		}
		last = now
	}
	return gaps
}

func wakeups(length time.Duration) []time.Duration {
	late := make([]time.Duration, 0, 1<<20)
	// Timers of the kernel, not of the Go runtime, and without slack.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	var next unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &next)
	for end := next.Nano() + int64(length); next.Nano() < end && len(late) < cap(late); {
		next = unix.NsecToTimespec(next.Nano() + int64(time.Millisecond))
		for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &next, nil) != nil {
		}
		var now unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
		late = append(late, time.Duration(now.Nano()-next.Nano()))
		if now.Nano() > next.Nano()+int64(time.Millisecond) {
			next = now // wake-ups that were missed are one wake-up that was late
		}
	}
	return late
}

// distribution is what a probe prints, in nanoseconds.
type distribution struct {
	N   int           `json:"n"`
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

func distributionOf(d []time.Duration) distribution {
	if len(d) == 0 {
		return distribution{}
	}
	slices.Sort(d)
	return distribution{N: len(d), P50: d[len(d)/2], P99: d[len(d)*99/100], Max: d[len(d)-1]}
}
