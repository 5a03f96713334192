// Package daemon wires the parts of a node into one process: New makes them
// from the bottom up, Run serves until it is told to end, Close lets go in
// reverse order. Instances are not the daemon's children and go on.
//
//	store ─▶ images ─▶ network ─▶ shim ─▶ engine ─▶ node ─▶ server
//
// Main is the command around it: flags, configuration, signals.
package daemon
