// Package seccomp compiles profiles in Docker's form to the classic BPF program
// that the kernel runs before each system call of a confined process.
//
//	profile (JSON) ──moby/profiles──▶ rules for this kernel, these capabilities
//	        ──names to numbers──▶ ranges of numbers ──▶ balanced tree of jumps
//
// A tree and not a list, because when a filter is loaded the kernel runs it once
// for every number of a system call to learn which are always allowed: that is
// what loading costs. Filters are compiled once for each profile and set of
// capabilities, and kept.
//
// The tables of numbers, tables/<architecture>.txt, hold "name number" lines as
// golang.org/x/sys knows them.
package seccomp
