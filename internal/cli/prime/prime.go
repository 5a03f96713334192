// Package prime makes the Go runtime fit a program that lives for milliseconds:
// the command. Pages of memory touched for the first time are most of what the
// start of such a program costs. Only its main package imports it, blank.
//
// It imports nothing but runtime, so that Go sets it up before nearly
// everything else.
package prime

import "runtime"

func init() {
	growStack(false)
	// A second processor has a second set of memory spans and wakes threads to
	// look for work, but a command does one thing at a time.
	runtime.GOMAXPROCS(1)
}

// growStack makes the main goroutine's stack as large as a command needs, 16 KiB,
// in one step and while there is little on it. Otherwise it is doubled three
// times, and each time memory of another size is cut up and the stack is copied,
// for which Go's tables of functions are read. The room is made as the function
// is entered; it is not to be written to, so use is false.
//
//go:noinline
func growStack(use bool) {
	if use {
		var room [9 << 10]byte
		fill(room[:])
	}
}

//go:noinline
func fill([]byte) {}
