package proxy

import (
	"bytes"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// origin is who asked, as the backend is to be told.
type origin struct {
	// client is who is taken for the client: the other side of the connection
	// or, where that is a trusted proxy, the last address in its list that is
	// none.
	client netip.Addr
	peer   netip.Addr // the other side of the connection
	// chain, proto and host are what a trusted proxy says: the list of addresses
	// before the peer's, and the scheme and the host that were asked for; empty
	// where it says nothing, or is not trusted.
	chain, proto, host []byte
}

// direct is the origin of a request that no trusted proxy passed on.
func direct(peer netip.Addr) origin { return origin{client: peer, peer: peer} }

// trusts says whether a peer is a proxy whose word counts.
func (p *Pool) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.TrustedProxies, func(t netip.Prefix) bool { return t.Contains(a) })
}

// origin is that of a request of HTTP/1.
func (p *Pool) origin(peer netip.Addr, h *head) origin {
	if len(p.TrustedProxies) == 0 || !p.trusts(peer) {
		return direct(peer)
	}
	o := direct(peer)
	for _, f := range h.fields {
		name, value := f.name.of(h.buf), f.value.of(h.buf)
		switch {
		case equalFold(name, "x-forwarded-for") && len(value) > 0:
			if len(o.chain) > 0 {
				o.chain = append(o.chain, ", "...)
			}
			o.chain = append(o.chain, value...)
		case equalFold(name, "x-forwarded-proto"):
			o.proto = scheme(value)
		case equalFold(name, "x-forwarded-host"):
			o.host = value
		}
	}
	o.client = p.clientIn(peer, o.chain)
	return o
}

// origin2 is that of a request of HTTP/2.
func (p *Pool) origin2(r *http.Request) origin {
	peer := addressOf(r)
	if len(p.TrustedProxies) == 0 || !p.trusts(peer) {
		return direct(peer)
	}
	o := direct(peer)
	o.chain = []byte(strings.Join(slices.DeleteFunc(slices.Clone(r.Header["X-Forwarded-For"]), func(s string) bool { return s == "" }), ", "))
	o.proto, o.host = scheme([]byte(r.Header.Get("X-Forwarded-Proto"))), []byte(r.Header.Get("X-Forwarded-Host"))
	o.client = p.clientIn(peer, o.chain)
	return o
}

// scheme is a scheme that there is, or nil.
func scheme(b []byte) []byte {
	if equalFold(b, "http") || equalFold(b, "https") {
		return bytes.ToLower(b)
	}
	return nil
}

// clientIn is the last address of a list that is not a trusted proxy's. What
// comes before something that is no address is nobody's word.
func (p *Pool) clientIn(peer netip.Addr, chain []byte) netip.Addr {
	client := peer
	for len(chain) > 0 && p.trusts(client) {
		last := chain
		if i := bytes.LastIndexByte(chain, ','); i >= 0 {
			chain, last = chain[:i], chain[i+1:]
		} else {
			chain = nil
		}
		a, ok := parseClient(string(bytes.TrimSpace(last)))
		if !ok {
			break
		}
		client = a
	}
	return client
}

// parseClient reads an address of a list, which some proxies give a port.
func parseClient(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		var at netip.AddrPort
		if at, err = netip.ParseAddrPort(s); err != nil {
			return a, false
		}
		a = at.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// appendForwarded writes the fields that say who asked. host is the request's own.
func (o *origin) appendForwarded(out []byte, secure bool, host []byte) []byte {
	out = append(out, "X-Forwarded-For: "...)
	if len(o.chain) > 0 {
		out = append(append(out, o.chain...), ", "...)
	}
	out = o.peer.AppendTo(out)
	out = append(append(out, "\r\nX-Forwarded-Proto: "...), o.scheme(secure)...)
	out = append(out, "\r\nX-Forwarded-Host: "...)
	if len(o.host) > 0 {
		host = o.host
	}
	out = append(out, host...)
	return append(out, '\r', '\n')
}

func (o *origin) scheme(secure bool) string {
	switch {
	case len(o.proto) > 0:
		return string(o.proto)
	case secure:
		return "https"
	}
	return "http"
}

// setForwarded is appendForwarded for HTTP/2.
func (o *origin) setForwarded(h http.Header, secure bool, host string) {
	list := o.peer.String()
	if len(o.chain) > 0 {
		list = string(o.chain) + ", " + list
	}
	if len(o.host) > 0 {
		host = string(o.host)
	}
	h.Set("X-Forwarded-For", list)
	h.Set("X-Forwarded-Proto", o.scheme(secure))
	h.Set("X-Forwarded-Host", host)
}
