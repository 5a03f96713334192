// Package endpoint reads from flags and the environment where the daemon is
// and how it lets one in. Every program of virga's that calls the API uses it,
// so that they all find the same daemon. It is light: the command has it in
// every start.
package endpoint
