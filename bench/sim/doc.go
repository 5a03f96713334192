// Package sim drives the control plane's pure cores in virtual time, for
// figures that real time would need hours for. It is a value without I/O.
package sim
