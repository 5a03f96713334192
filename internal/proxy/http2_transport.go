package proxy

import (
	"net"
	"net/http"
	"strings"
)

// newTransports makes the ways to a backend: gRPC needs HTTP/2 all the way, the
// rest is served with HTTP/1.1 as every server can.
func newTransports() (plain, h2c *http.Transport) {
	plain = &http.Transport{MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: maxIdleAge,
		DialContext: (&net.Dialer{Timeout: defaultConnect}).DialContext, DisableCompression: true}
	h2c = plain.Clone()
	h2c.Protocols = &http.Protocols{}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	return plain, h2c
}

func (p *Proxy) transport(r *http.Request) http.RoundTripper {
	if isGRPC(r) {
		return p.h2c
	}
	return p.plain
}

func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}
