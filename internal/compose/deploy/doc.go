// Package deploy makes the node's state what a plan asks for, as a client of
// the API. It keeps no state of its own: what belongs to a project is found by
// labels, and what is as it should be by a hash of its configuration. So a run
// that was killed at any point is taken up by the next.
//
// Everything here is made for one command: a Deployment is used by one
// goroutine, the goroutines it starts end with the call that started them.
package deploy
