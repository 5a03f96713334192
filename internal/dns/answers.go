package dns

import (
	"net/netip"

	wire "codeberg.org/miekg/dns"
)

const (
	// maxAnswers are remembered by a listener; then it begins anew.
	maxAnswers = 8192
	// maxRemembered is the longest query worth remembering: a name of 255
	// bytes with its header, its question and EDNS.
	maxRemembered = wire.MsgHeaderSize + 255 + 4 + 11
)

// answers remembers what a listener said about names of the zone, by the
// client and its query as it came, id apart: the same bytes get the same
// answer until the zone changes. It belongs to one goroutine.
type answers struct {
	version uint64 // of the zone that the answers are from
	replies map[string][]byte
	key     []byte
}

func newAnswers() *answers {
	return &answers{replies: map[string][]byte{}, key: make([]byte, 0, 16+maxRemembered)}
}

// at forgets everything that is not of this version of the zone.
func (a *answers) at(version uint64) {
	if a.version != version {
		clear(a.replies)
		a.version = version
	}
}

func (a *answers) keyOf(client netip.Addr, query []byte) []byte {
	from := client.As16()
	a.key = append(append(a.key[:0], from[:]...), query[2:]...)
	return a.key
}

// copy writes the answer to a query into room and returns its length, or 0
// when it is not known.
func (a *answers) copy(room []byte, client netip.Addr, query []byte) int {
	if len(query) < wire.MsgHeaderSize || len(query) > maxRemembered {
		return 0
	}
	r := a.replies[string(a.keyOf(client, query))]
	if r == nil {
		return 0
	}
	n := copy(room, r)
	copy(room, query[:2])
	return n
}

// remember keeps an answer. An answer to a query with options of EDNS, which
// may be another one each time, is not worth it.
func (a *answers) remember(client netip.Addr, query, reply []byte, q *wire.Msg) {
	if len(query) < wire.MsgHeaderSize || len(query) > maxRemembered || len(q.Pseudo) > 0 {
		return
	}
	if len(a.replies) >= maxAnswers {
		clear(a.replies)
	}
	a.replies[string(a.keyOf(client, query))] = append([]byte(nil), reply...)
}
