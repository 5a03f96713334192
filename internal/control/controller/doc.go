// Package controller holds the control plane's controllers, one a file, and
// what runs them. A controller reads some kinds of object and writes others
// until their status is as their spec; it decides nothing itself, but carries
// out what a pure core (control/group, control/autoscale) has decided from
// what the store says. So it may be killed between any two writes: the next
// one to run starts from the store and goes on.
//
// Each kind of output has one writer. The store is this process's own, so that
// there is one daemon and one of each controller; a lease that lets one of
// several daemons act is not needed before the store is shared.
package controller
