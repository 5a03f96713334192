// Package controller holds the control plane's controllers, one a file, and
// what runs them. A controller reads some kinds of object and writes others
// until their status is as their spec; it decides nothing itself, but carries
// out what a pure core (control/group, control/autoscale) has decided from
// what the store says. So it may be killed between any two writes: the next
// one to run starts from the store and goes on.
//
// Each kind of output has one writer. All controllers run under one lease
// (store.Lease), so that of several daemons on a store one acts.
package controller
