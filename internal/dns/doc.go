// Package dns resolves names for instances: those of the instances they share
// a network with, and everything else by forwarding.
//
//	socket ──▶ Server ──▶ answer (pure: zone, view, query) ──▶ reply
//	                          │ not ours
//	                          └──▶ forwarder: cache, upstream name servers
//
// There is a listener at the gateway of every network. What a client may see
// follows from its source address: only names on its own networks. Local names
// are answered on the goroutine that reads the socket; forwarded ones on their
// own, bounded in number.
package dns
