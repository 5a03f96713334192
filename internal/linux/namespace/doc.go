// Package namespace makes the user and network namespaces that an instance
// stands on, and runs code inside a network namespace.
//
// A namespace is born with a process. That process here is a child made by a
// bare clone that shares the caller's memory and descriptors, runs a few system
// calls in assembly and waits to be killed: no exec, no copy of page tables,
// no Go runtime. It lives for as long as its id maps are written and its
// namespace files opened, well under a millisecond.
package namespace
