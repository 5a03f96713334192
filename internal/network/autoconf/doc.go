// Package autoconf tells guests of virtual machines how to set up their
// interfaces: by DHCP for IPv4, by router advertisements and DHCP for IPv6.
//
//	                    bridge of a network
//	guest ──TAP──▶ guard ──▶ UDP 67, UDP 547, ICMPv6 133
//	                              │ whose? (hardware address, link-local address)
//	                              ▼ may it ask again? (a bucket for each guest)
//	                         Guest, Network ──▶ answer ──▶ to that guest's hardware address alone
//
// There are no leases to keep: what a guest may have is what Set said last. So
// the same question has the same answer before and after a restart of the
// daemon, what a guest gives back changes nothing, and an address cannot be
// used up. Who is not in the plan gets no answer.
//
// The answers are pure functions of network, guest and question (dhcp4.go,
// dhcp6.go, router.go); the sockets are in server.go. A goroutine for each
// socket ends with it; Close waits for them.
package autoconf
