package monitor

import (
	"os"
	"strconv"
	"syscall"
)

// slack is how late the runtime's monitor may wake, in nanoseconds.
const slack = "500000"

// Calm lets the Go runtime's monitor thread of this process sleep half a
// millisecond longer than it asks for. It asks for 20 µs as long as anything
// runs: in a program whose work comes in short pieces that is a fifth of all
// CPU time. What it does, taking the processor from a thread that is long in a
// system call and preempting one that runs for 10 ms, can wait as long.
//
// It is called once, early in main: the monitor is the first thread that the
// runtime makes. Where that cannot be had, nothing changes.
func Calm() {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return
	}
	defer dir.Close()
	// Not sorted: the kernel lists threads in the order they were made.
	threads, err := dir.Readdirnames(2)
	if err != nil || len(threads) < 2 || threads[0] != strconv.Itoa(syscall.Getpid()) {
		return
	}
	_ = os.WriteFile("/proc/"+threads[1]+"/timerslack_ns", []byte(slack), 0)
}
