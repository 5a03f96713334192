package proxy

// hopByHop are the fields that end at each hop, by length of their name, and
// those that the proxy writes itself.
func hopByHop(name []byte) bool {
	switch len(name) {
	case 2:
		return equalFold(name, "te")
	case 6:
		return equalFold(name, "expect")
	case 7:
		return equalFold(name, "upgrade") || equalFold(name, "trailer")
	case 9:
		return equalFold(name, "forwarded") || equalFold(name, "x-real-ip")
	case 10:
		return equalFold(name, "connection") || equalFold(name, "keep-alive")
	case 15:
		return equalFold(name, "x-forwarded-for")
	case 16:
		return equalFold(name, "proxy-connection") || equalFold(name, "x-forwarded-host") || equalFold(name, "x-forwarded-port")
	case 17:
		return equalFold(name, "transfer-encoding") || equalFold(name, "x-forwarded-proto")
	}
	return false
}

func (h *head) listed(name []byte) bool {
	for _, d := range h.dropped[:h.nDropped] {
		if string(d.of(h.buf)) == string(name) || foldSame(d.of(h.buf), name) {
			return true
		}
	}
	return false
}

func foldSame(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}

// appendRequest writes the head that goes to the backend: the same request
// without what ends at this hop, and with who asked. What the client itself
// claims in X-Forwarded fields is not passed on, but for what from has of it.
func appendRequest(out []byte, h *head, target []byte, from *origin, secure bool) []byte {
	out = append(out, h.first.of(h.buf)...)
	out = append(out, ' ')
	out = append(out, target...)
	out = append(out, " HTTP/1.1\r\n"...)
	for _, f := range h.fields {
		name := f.name.of(h.buf)
		if hopByHop(name) || h.nDropped > 0 && h.listed(name) {
			continue
		}
		out = appendField(out, name, f.value.of(h.buf))
	}
	if h.hosts == 0 {
		out = append(out, "Host: \r\n"...)
	}
	out = from.appendForwarded(out, secure, h.host.of(h.buf))
	if h.chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	if h.upgrade {
		out = append(out, "Connection: Upgrade\r\nUpgrade: "...)
		out = append(out, h.value("upgrade")...)
		out = append(out, '\r', '\n')
	}
	return append(out, '\r', '\n')
}

func appendField(out, name, value []byte) []byte {
	out = append(out, name...)
	out = append(out, ':', ' ')
	out = append(out, value...)
	return append(out, '\r', '\n')
}

// appendResponse writes the head that goes to the client. extra is complete
// header lines, or empty.
func appendResponse(out []byte, h *head, status int, framing framing, persists, http11 bool, extra []byte) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = append(out, h.second.of(h.buf)...)
	out = append(out, ' ')
	out = append(out, h.third.of(h.buf)...)
	out = append(out, '\r', '\n')
	for _, f := range h.fields {
		name := f.name.of(h.buf)
		if hopByHop(name) || h.nDropped > 0 && h.listed(name) || framing == chunks && equalFold(name, "content-length") {
			continue
		}
		out = appendField(out, name, f.value.of(h.buf))
	}
	if framing == chunks && http11 {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case status == 101:
		out = append(out, "Connection: Upgrade\r\nUpgrade: "...)
		out = append(out, h.value("upgrade")...)
		out = append(out, '\r', '\n')
	case !persists:
		out = append(out, "Connection: close\r\n"...)
	case !http11:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	out = append(out, extra...)
	return append(out, '\r', '\n')
}
