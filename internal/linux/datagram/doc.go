// Package datagram answers UDP datagrams in batches: one system call receives
// what has come, one sends the answers. A Batch belongs to one goroutine.
package datagram
