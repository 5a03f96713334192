// Package floor runs a program in a container made by hand: what the kernel
// takes for it and nothing more. The user and network namespaces and the
// cgroup are made before and used again, the writable layer lies in memory;
// there is no daemon, no /dev, no /proc, no seccomp profile, no log and no
// record of anything. So it tells how much of a runtime's time is the
// machine's, and it is no runtime: one workload stands where another stood.
package floor
