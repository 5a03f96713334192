// Package acme has certificates of a public authority (RFC 8555, such as Let's
// Encrypt) for the names of services.
//
//	Want(names) ─▶ obtain, one name after the other ─▶ cache (disk) ─▶ Certificate
//	                   ▲ asks: TLS-ALPN-01 by Certificate, HTTP-01 by Challenge
//
// The protocol is golang.org/x/crypto/acme/autocert's, which renews a
// certificate when a third of its life is left. Here is what a service needs
// around it: certificates are fetched before the first client comes, a client
// never waits for one, failures are told and tried again with growing pauses,
// and what is stored survives a loss of power.
package acme
