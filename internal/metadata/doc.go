// Package metadata is the instance metadata service: EC2's tree at
// 169.254.169.254, by which an instance learns who it is, what it was given
// and whether it must leave. Sessions are IMDSv2's: a PUT for a token, then
// GETs with it; plain GETs are answered where the instance allows them.
//
// An instance is known by the address its packets come from, which the network
// does not let it forge, and sees only itself. The service is a http.Handler;
// the daemon listens on each network's side of the link.
package metadata
