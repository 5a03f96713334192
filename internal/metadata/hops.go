package metadata

import (
	"context"
	"net"

	"golang.org/x/net/ipv4"
)

type connKey struct{}

// ConnContext is for http.Server.ConnContext: it lets the answer to a PUT be
// limited in how many hops it travels, so that it never leaves the instance
// through a router or a nested network unless that is wanted.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// limitHops sets the TTL of what the request's connection sends from now on.
// Without a TCP connection, as in tests, it does nothing.
func limitHops(ctx context.Context, hops int) {
	if c, ok := ctx.Value(connKey{}).(*net.TCPConn); ok {
		// A failure leaves the system's TTL, which only reaches further.
		_ = ipv4.NewConn(c).SetTTL(hops)
	}
}
