// Package cgroup limits, measures, freezes and kills groups of processes, by
// control groups of version 1, 2 or both at once (hybrid).
//
//	Layout   where the machine has its hierarchies and controllers mounted
//	Root     the group all of a daemon's groups are in, "virga"
//	Group    one group, "virga/<id>", in every hierarchy that it needs
//
// On version 1 a group exists once per controller. In the hybrid layout it
// exists in the unified hierarchy too, which kills, freezes and counts CPU time
// without a controller. A process enters a group by writing "0" to the group's
// files itself: moving it from outside waits for an RCU grace period.
//
// Values are safe for concurrent use; the state is the kernel's.
package cgroup
