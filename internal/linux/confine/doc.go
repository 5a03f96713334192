// Package confine compiles the description of a confined process into a
// program of system calls, which the supervisor runs (internal/linux/launch).
//
// A Process that starts an instance goes through these stages:
//
//	enter     cgroups, limits and user and network namespaces, as the host's root
//	unshare   new mount, PID, IPC, UTS and cgroup namespaces (launch.Fork)
//	pivot     the instance's root becomes "/", the host's stays underneath
//	populate  /dev, /proc, /sys and mounts, each resolved inside the new root
//	seal      masked and read-only paths, hostname, the host's root detached
//	become    ids, capabilities, seccomp, working directory, execve
//
// Of the new namespaces, a process may leave out some and share the node's or
// another instance's.
//
// One that joins a running instance enters its namespaces instead, and goes on
// with the last stage.
//
// No path is resolved on the host's side, and within the instance's root by
// openat2 without magic links: an image cannot lead a mount out of its root.
package confine
