// Package pool divides a node's CPUs between dedicated instances, which own
// whole cores with all their hardware threads, and the shared pool, on which
// everything else runs. It is pure: it decides, and the writer of cgroup state
// carries out.
package pool
