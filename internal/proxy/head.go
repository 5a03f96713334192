package proxy

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	maxHead   = 32 << 10 // bytes of a request line or status line with all fields
	maxFields = 128
)

// span is a part of a head's buffer.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// field is one header field.
type field struct{ name, value span }

// head is a parsed start line with its fields. It points into the buffer it
// was parsed from and is valid as long as that is.
type head struct {
	buf    []byte
	size   int // bytes, the empty line included
	first  span
	second span
	third  span
	fields []field

	major1   bool  // HTTP/1.1, else 1.0
	length   int64 // of the body; -1 when not given
	chunked  bool
	close    bool // Connection: close
	keep     bool // Connection: keep-alive
	upgrade  bool // Connection: upgrade
	expect   bool // Expect: 100-continue
	host     span
	hosts    int
	dropped  [8]span // names that Connection lists
	nDropped int
}

// malformed is a head that is refused.
type malformed struct {
	status int // of the answer
	what   string
}

func (e *malformed) Error() string { return e.what }

func bad(format string, args ...any) error { return &malformed{400, fmt.Sprintf(format, args...)} }

func tooLarge(limit int64) error {
	return &malformed{413, "the body is larger than " + strconv.FormatInt(limit, 10) + " bytes"}
}

// headEnd is the number of bytes up to and including the empty line that ends
// a head, or 0 when it is not all there yet. from is where to go on looking.
func headEnd(b []byte, from int) int {
	from = max(from-3, 0)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// parseRequest parses b, which is one whole head.
func (h *head) parseRequest(b []byte) error {
	line, err := h.start(b)
	if err != nil {
		return err
	}
	sp1 := bytes.IndexByte(line, ' ')
	sp2 := bytes.LastIndexByte(line, ' ')
	if sp1 <= 0 || sp2 <= sp1+1 {
		return bad("request line is not METHOD TARGET VERSION")
	}
	h.first, h.second, h.third = span{0, sp1}, span{sp1 + 1, sp2}, span{sp2 + 1, len(line)}
	if !isToken(line[:sp1]) {
		return bad("the method is no token")
	}
	for _, c := range line[sp1+1 : sp2] {
		if c <= ' ' || c == 0x7f {
			return bad("the target has a control character")
		}
	}
	if err := h.version(line[sp2+1:]); err != nil {
		return err
	}
	if err := h.parseFields(len(line) + 2); err != nil {
		return err
	}
	switch {
	case h.hosts > 1, h.hosts == 0 && h.major1:
		return bad("want exactly one Host field, got %d", h.hosts)
	case h.chunked && h.length >= 0:
		return bad("Content-Length beside Transfer-Encoding")
	case h.chunked && !h.major1:
		return bad("Transfer-Encoding in HTTP/1.0")
	}
	return nil
}

// parseResponse parses b, which is one whole head, and returns its status.
func (h *head) parseResponse(b []byte) (int, error) {
	line, err := h.start(b)
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return 0, bad("status line is not VERSION STATUS REASON")
	}
	if err := h.version(line[:8]); err != nil {
		return 0, err
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return 0, bad("status %q", line[9:12])
	}
	h.first, h.second, h.third = span{0, 8}, span{9, 12}, span{min(13, len(line)), len(line)}
	if err := h.parseFields(len(line) + 2); err != nil {
		return 0, err
	}
	if h.chunked {
		h.length = -1 // RFC 9112, 6.3: the coding overrides the length
	}
	return status, nil
}

// start resets h for b and returns its first line.
func (h *head) start(b []byte) ([]byte, error) {
	fields := h.fields[:0]
	*h = head{} // as in exchange.forget
	h.buf, h.size, h.fields, h.length = b, len(b), fields, -1
	end := bytes.IndexByte(b, '\n')
	if end < 1 || b[end-1] != '\r' {
		return nil, bad("the first line does not end in CRLF")
	}
	return b[:end-1], nil
}

func (h *head) version(v []byte) error {
	switch string(v) {
	case "HTTP/1.1":
		h.major1 = true
	case "HTTP/1.0":
	default:
		return &malformed{505, fmt.Sprintf("version %.16q", v)}
	}
	return nil
}

func (h *head) parseFields(at int) error {
	for b := h.buf; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 1 || b[at+n-1] != '\r' {
			return bad("a line does not end in CRLF")
		}
		line := b[at : at+n-1]
		if len(line) == 0 {
			return nil
		}
		if len(h.fields) == maxFields {
			return &malformed{431, "more than 128 header fields"}
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isToken(line[:colon]) {
			return bad("a header line has no valid name")
		}
		f := field{span{at, at + colon}, trim(b, span{at + colon + 1, at + len(line)})}
		for _, c := range f.value.of(b) {
			if c < ' ' && c != '\t' || c == 0x7f {
				return bad("field %s has a control character", f.name.of(b))
			}
		}
		h.fields = append(h.fields, f)
		if err := h.note(f); err != nil {
			return err
		}
		at += n + 1
	}
}

func trim(b []byte, s span) span {
	for s.from < s.to && (b[s.from] == ' ' || b[s.from] == '\t') {
		s.from++
	}
	for s.to > s.from && (b[s.to-1] == ' ' || b[s.to-1] == '\t') {
		s.to--
	}
	return s
}

// note takes what the proxy itself must know from a field.
func (h *head) note(f field) error {
	name, value := f.name.of(h.buf), f.value.of(h.buf)
	switch len(name) {
	case len("Host"):
		if equalFold(name, "host") {
			h.host, h.hosts = f.value, h.hosts+1
		}
	case len("Expect"):
		if equalFold(name, "expect") {
			if !equalFold(value, "100-continue") {
				return &malformed{417, "unknown expectation"}
			}
			h.expect = true
		}
	case len("Connection"):
		if equalFold(name, "connection") {
			return h.connection(f.value)
		}
	case len("Content-Length"):
		if equalFold(name, "content-length") {
			n, ok := parseLength(value)
			if !ok || h.length >= 0 && h.length != n {
				return bad("Content-Length %.32q", value)
			}
			h.length = n
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "transfer-encoding") {
			if h.chunked || !equalFold(value, "chunked") {
				return &malformed{501, "only the transfer coding chunked is known"}
			}
			h.chunked = true
		}
	}
	return nil
}

// connection reads the list of a Connection field.
func (h *head) connection(list span) error {
	for list.from < list.to {
		end := list.from
		for end < list.to && h.buf[end] != ',' {
			end++
		}
		token := trim(h.buf, span{list.from, end})
		list.from = end + 1
		switch text := token.of(h.buf); {
		case len(text) == 0:
		case equalFold(text, "close"):
			h.close = true
		case equalFold(text, "keep-alive"):
			h.keep = true
		case equalFold(text, "upgrade"):
			h.upgrade = true
		case h.nDropped == len(h.dropped):
			return bad("Connection lists too many fields")
		default:
			h.dropped[h.nDropped] = token
			h.nDropped++
		}
	}
	return nil
}

// persists reports whether the connection stays open after this message.
func (h *head) persists() bool {
	if h.major1 {
		return !h.close
	}
	return h.keep && !h.close
}

// alone reports whether a request has nothing behind its head, and whether that
// is the end of what its client has to say before the answer.
func (h *head) alone() bool { return h.requestFraming() == none && !h.upgrade && !h.expect }

// value is the first value of a field, by its lower-case name.
func (h *head) value(name string) []byte {
	for _, f := range h.fields {
		if equalFold(f.name.of(h.buf), name) {
			return f.value.of(h.buf)
		}
	}
	return nil
}

func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// equalFold compares b with a lower-case ASCII word.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// tokenChars are the characters of RFC 9110's token.
var tokenChars = func() (set [256]bool) {
	for c := '0'; c <= '9'; c++ {
		set[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		set[c], set[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		set[c] = true
	}
	return set
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenChars[c] {
			return false
		}
	}
	return len(b) > 0
}
