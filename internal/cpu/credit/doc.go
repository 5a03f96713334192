// Package credit is the arithmetic of CPU credits: what a burst instance
// earns, spends, owes and may use at a moment. It has no clock and does no I/O;
// the same code runs in the controller, in the simulator and in the tests that
// replay EC2's published worked examples.
//
// One credit is one vCPU at 100 % for one minute. The equations are those that
// EC2's user guide gives for burstable instances (standard and unlimited mode,
// surplus and its charge, launch credits, a cap of 24 hours of earning).
package credit
