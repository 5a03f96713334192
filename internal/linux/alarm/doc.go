// Package alarm has the kernel look at what runs on a CPU, each time a group
// of processes has run there for a while.
//
// The kernel looks whether a group has spent its quota at its tick, and when
// the CPU turns to another thread. An Alarm is a thread tied to a CPU, asleep
// in poll(2) over a ring that counters of the kernel's (perf events) write to.
// Each counter follows one group: when the group has run for so long, its
// counter wakes the thread, for which the CPU turns from the group. The thread
// has asked for nothing that a ring can tell, and sleeps on without leaving the
// kernel: Go's scheduler does not notice, and a group that does not run costs
// nothing but its counter.
package alarm
