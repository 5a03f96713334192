// Package launch starts a process by running a prepared list of system calls
// in a vfork child, which ends with execve. The list is data: the engine
// compiles it, the supervisor runs it without knowing what it means, and a new
// kind of instance needs no new supervisor.
//
// A child made by vfork shares its parent's memory and runs while the calling
// thread is suspended, so nothing is copied and a failed step is reported by
// writing two words. It may not run Go code: the child is the few instructions of
// spawn_<arch>.s, which walk over the prepared system calls and never touch the
// stack.
package launch
