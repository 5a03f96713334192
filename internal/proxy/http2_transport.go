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

// grpcStatus are the fields in which gRPC says how a call ended.
var grpcStatus = []string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"}

// asTrailers makes trailers of the status of a call that ended without an
// answer. Its server sent one block of fields with the end of the stream; the way
// through the proxy may part the two, and fields that do not end the stream are
// no status to a client.
func asTrailers(r *http.Response) {
	if r.ContentLength != 0 || r.Header.Get(grpcStatus[0]) == "" {
		return
	}
	for _, name := range grpcStatus {
		if v := r.Header[name]; len(v) > 0 {
			if r.Trailer == nil {
				r.Trailer = http.Header{}
			}
			r.Trailer[name] = v
			delete(r.Header, name)
		}
	}
}
